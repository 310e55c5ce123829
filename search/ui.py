"""Look at an experiment in MLflow: `python -m search.ui experiment=NAME`. Its keys are in conf/ui.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO

from search.config.commands import UiConfig, check_ui
from search.config.messages import UserError
from search.config.places import ROOT
from search.console.command import Command
from search.console.command_line import run
from search.console.family import end_with_parent

HOST = "127.0.0.1"
USUAL_PORT = 5000  # MLflow's own
PAUSE = 0.2  # seconds between two looks at whether the server answers
END_SECONDS = 5.0  # that the server has for ending
# One process is enough for one user, and starts in half the time; its jobs are for what no study uses.
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
SERVER = (sys.executable, "-m", "mlflow", "server", "--workers", "1", "--uvicorn-opts", "--log-level warning")


def main(config: UiConfig) -> None:
    from search.tracking.experiments import existing
    from search.tracking.links import studies_page
    from search.tracking.store import absolute
    from search.tracking.views import NAME, TAG, constants_page

    uri = config.tracking.uri
    _, experiment = existing(uri, config.experiment)
    number = experiment.experiment_id
    pages = {"": studies_page(number), **({f"{NAME}: ": constants_page(number)} if TAG in experiment.tags else {})}
    if uri.startswith("http"):
        from search.config.secrets import masked

        _say(masked(uri.rstrip("/")), pages)
        return
    port = free_port(config.port)
    print("MLflow's server is starting; this takes some seconds", flush=True)
    with served(absolute(uri), port) as server:
        _say(f"http://{HOST}:{port}", pages)
        print("Ctrl-C stops the server", flush=True)
        server.wait()
        raise UserError(f"MLflow's server has stopped by itself (exit code {server.returncode}); run the same command again")


def _say(server: str, pages: Mapping[str, str]) -> None:
    """Prints the addresses of pages. `pages`: what each shows -> its path."""
    for what, page in pages.items():
        print(f"{what}{server}{page}", flush=True)


def free_port(asked: int | None) -> int:
    """A port that nobody listens at. Raises UserError if the one that is asked for is taken."""
    for port in (USUAL_PORT, 0) if asked is None else (asked,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise UserError(f"port={asked}: is taken, or may not be used; give another one, or leave it out to use a free one")


@contextlib.contextmanager
def served(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server over the store at `uri`, once it answers; when this ends, it ends with all its processes. Raises
    UserError where it does not start."""
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            [*SERVER, "--host", HOST, "--port", str(port)],
            cwd=ROOT,
            env={
                **SETTINGS,
                **os.environ,
                "MLFLOW_BACKEND_STORE_URI": uri,
            },  # so its password is not in the list of processes
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process
            preexec_fn=end_with_parent(),
        )
        try:
            _await(server, port, said)
            yield server
        finally:
            _end(server)


def _await(server: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    """Wait until the server answers. Raises UserError if it ends instead."""
    while not _answers(port):
        if server.poll() is not None:
            said.seek(0)
            lines = said.read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {server.returncode}")
            raise UserError(f"MLflow's server did not start ({last[:200]}); fix that, and run the same command again")
        time.sleep(PAUSE)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)  # and no proxy
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(server: subprocess.Popen[bytes]) -> None:
    """The server and all that it started: they are a process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(END_SECONDS)


COMMAND = Command("ui", UiConfig, check_ui, main, "MLflow's server has stopped; the studies stay")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
