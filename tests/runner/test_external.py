"""Programs of others: what they see and reach, and that nothing of them is left."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from search.config.messages import UserError
from search.config.places import ROOT
from search.runner.external.programs import ExternalPrograms
from search.runner.process import sandbox
from search.study.external import Program

walled = pytest.mark.skipif(not sandbox.bubblewrap_works(), reason="needs bubblewrap and user namespaces")
BOXES = [pytest.param("bubblewrap", marks=walled), "none"]

TRIES = """
import json, os, pathlib, socket, sys, urllib.parse
allowed, other, *paths = sys.argv[1:]

def readable(path):
    try:
        place = pathlib.Path(path)
        return bool(list(place.iterdir())) if place.is_dir() else bool(place.read_bytes())
    except OSError:
        return False

def direct(place):
    try:
        host, port = place.split(":")
        socket.create_connection((host, int(port)), 2).close()
        return True
    except OSError:
        return False

def through_proxy(request):
    proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
    with socket.create_connection((proxy.hostname, proxy.port), 10) as way:
        way.sendall(f"{request}\\r\\nHost: x\\r\\n\\r\\n".encode())
        return way.makefile("rb").read().decode()

print(json.dumps({
    "read": [path for path in paths if readable(path)],
    "direct": [direct(allowed), direct(other)],
    "allowed": through_proxy(f"CONNECT {allowed} HTTP/1.1"),
    "other": through_proxy(f"CONNECT {other} HTTP/1.1"),
    "plain": through_proxy(f"GET http://{allowed}/ HTTP/1.1"),
    "environment": sorted(os.environ),
    "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    "devices": sorted(os.listdir("/dev")),
    "said": sys.stdin.read(),
}))
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "workspace"
    made.mkdir()
    return made


@pytest.fixture
def hosts(monkeypatch):
    """Two servers on loopback that say hello: places as HOST:PORT."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def greet(server):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(b"hello")

    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for server in servers:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
    with closing(servers[0]), closing(servers[1]):
        yield [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]


def python(folder, script, *arguments, **more):
    given = {"seconds": 60.0, "sandbox": "bubblewrap", **more}
    return Program(words=("python", "-c", script, *arguments), folder=folder, said="hear me", **given)


@walled
def test_a_program_sees_its_folder_and_reaches_its_host_and_nothing_else(folder, hosts, tmp_path, monkeypatch):
    monkeypatch.setenv("THE_KEY", "sesame")
    monkeypatch.setenv("OTHER_KEY", "secret")
    secret = tmp_path / "secret"
    secret.write_text("of another study")
    (folder / "mine").write_text("mine")
    ours = [ROOT / name for name in ("mlruns/README.md", "program.md", "train.py", "search/task/run.py")]
    at_home = [path for path in Path.home().iterdir() if path.is_file()]
    text = sqlalchemy.__file__  # of data=python
    asked = [str(path) for path in (folder / "mine", secret, *ours, *at_home, text, "/etc/shadow", "/sys/kernel")]
    allowed, other = hosts
    program = python(folder, TRIES, allowed, other, *asked, hosts=(allowed,), keys=("THE_KEY",))
    ended = ExternalPrograms().run(program)
    found = json.loads(ended.output or ended.errors)
    assert found["read"] == [asked[0]]
    assert found["direct"] == [False, False]
    assert found["allowed"].startswith("HTTP/1.1 200") and found["allowed"].endswith("hello")
    assert found["other"].startswith("HTTP/1.1 403") and found["plain"].startswith("HTTP/1.1 403")
    assert "THE_KEY" in found["environment"] and "OTHER_KEY" not in found["environment"]
    assert found["processes"] <= 4 and not [name for name in found["devices"] if name.startswith(("nvidia", "dri", "kfd"))]
    assert found["said"] == "hear me" and (ended.code, ended.why) == (0, "")


FORKS = """
import subprocess, sys, time
print("begun", flush=True)
sleep = [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]]
subprocess.Popen(sleep, start_new_session=True)
print("forked", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("limit", ["seconds", "a line"])
def test_nothing_is_left_of_a_program_that_is_ended(folder, box, limit, tmp_path):
    token = f"token-of-{tmp_path.name}"
    heed = (lambda line: "enough" if line == "forked" else "") if limit == "a line" else (lambda line: "")
    seconds = 60.0 if limit == "a line" else 2.0
    ended = ExternalPrograms().run(python(folder, FORKS, token, sandbox=box, seconds=seconds, heed=heed))
    assert ended.why == ("enough" if limit == "a line" else "it was still running after 2 seconds") and ended.code
    assert ended.output.startswith("begun")
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in left if words and token in words]


def test_without_bubblewrap_it_is_refused_unless_none_is_asked_for(folder, monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap_works", lambda: False)
    with pytest.raises(UserError, match=r"strategy\.sandbox=none") as refused:
        ExternalPrograms().run(python(folder, "print(1)"))
    assert str(refused.value).count("\n") == 1
    assert ExternalPrograms().run(python(folder, "print(1)", sandbox="none")).output == "1\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"words": ("no-such-coder",)}, "coder.command: no program no-such-coder"),
        ({"keys": ("NO_SUCH_KEY",)}, "coder.api_key_env=NO_SUCH_KEY"),
        ({"sandbox": "paper"}, "strategy.sandbox=paper: choose"),
    ],
)
def test_what_cannot_run_is_told_with_the_remedy(folder, wrong, said):
    given = {"words": ("python",), "folder": folder, "said": "", "seconds": 1.0, "sandbox": "none", **wrong}
    with pytest.raises(UserError, match=said):
        ExternalPrograms().check(Program(**given))
