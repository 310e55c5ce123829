"""The command that shows an experiment in MLflow, with a stand-in for MLflow's server."""

from __future__ import annotations

import socket
import sys

import psutil
import pytest

from search import ui
from search.config.commands import UiConfig
from search.config.messages import UserError
from search.config.schema import TrackingConfig
from search.tracking import experiments
from search.tracking.views import NAME, TAG

ANSWERS = """
import http.server, subprocess, sys
subprocess.Popen(["sleep", "600"])
http.server.BaseHTTPRequestHandler.do_GET = lambda self: (self.send_response(200), self.end_headers())
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def serve(monkeypatch):
    """A server of that text is started in the place of MLflow's."""
    return lambda text: monkeypatch.setattr(ui, "SERVER", (sys.executable, "-c", text))


def test_the_server_answers_when_it_is_handed_on_and_leaves_no_process(serve):
    serve(ANSWERS)
    with ui.served("sqlite:///x.db", ui.free_port(None)) as server:
        processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert len(processes) == 2 and not psutil.wait_procs(processes, timeout=10)[1]


def test_a_server_that_does_not_start_is_told_in_its_last_words(serve):
    serve("raise SystemExit('the database is from another planet')")
    with pytest.raises(UserError, match="the database is from another planet"), ui.served("x", 5):
        pass


def test_a_port_that_is_taken_is_named_and_left_out_another_is_used():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port={port}: is taken"):
            ui.free_port(port)
        assert ui.free_port(None) != port


def test_where_there_is_a_server_already_its_address_is_all(monkeypatch, capsys):
    found = type("Found", (), {"experiment_id": "7", "tags": {TAG: ""}})
    monkeypatch.setattr(experiments, "existing", lambda uri, name: (None, found))
    ui.main(UiConfig("mine", None, TrackingConfig("http://joe:secret@host:80/")))
    told = capsys.readouterr().out
    page = "http://***@host:80/#/experiments/7/runs?workflowType=machine_learning&compareRunsMode=CHART"
    assert told == f"{page}\n{NAME}: {page}&viewStateShareKey=constants\n"
