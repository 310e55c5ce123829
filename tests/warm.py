"""Candidate processes that start at once: forks of one process that has imported torch already.

    python -m tests.warm NUMBER         (started by `Warm`, with the number of an inherited socket)

Importing torch, and what it imports where the first optimizer is made, is most of a tiny trial's seconds. Each process is as
fresh as its parent, which runs no candidate.
Of the sandboxes, `none` and `landlock` work: Landlock is something a process does to itself. Bubblewrap starts a program.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from search.runner.process import landlock

LONGEST_REQUEST = 65_536
FREE_NUMBERS = 500  # file descriptors from here on are in nobody's way


class Warm:
    """`popen` stands in for subprocess.Popen in `search.runner.process.candidate_process`."""

    def __init__(self, connection: socket.socket) -> None:
        """`connection`: to a server; several processes may hold it."""
        self.connection = connection

    def popen(self, command, cwd, env, pass_fds, stdin, stdout, stderr, start_new_session) -> WarmProcess:
        assert (stdin, stdout, stderr, start_new_session) == (
            subprocess.DEVNULL,
            subprocess.PIPE,
            subprocess.STDOUT,
            True,
        )
        output, output_end = os.pipe()
        status, status_end = os.pipe()
        request = {
            "command": command,
            "cwd": str(cwd),
            "env": dict(env),
            "cores": sorted(os.sched_getaffinity(0)),
            "numbers": list(pass_fds),
        }
        files = [output_end, status_end, *pass_fds]
        socket.send_fds(self.connection, [json.dumps(request).encode()], files)
        os.close(output_end)
        os.close(status_end)
        return WarmProcess(output, status)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """While it is open, the runner's processes start warm."""
        from search.runner.process import candidate_process  # not in the server: candidates would be born with it

        stand_in = SimpleNamespace(**{**vars(subprocess), "Popen": self.popen})
        candidate_process.subprocess = stand_in
        try:
            yield
        finally:
            candidate_process.subprocess = subprocess


@contextlib.contextmanager
def warm_server(root: Path) -> Iterator[Warm]:
    """A server for as long as this is open."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    command = [sys.executable, "-u", "-m", "tests.warm", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, pass_fds=[theirs.fileno()])
    with ours:
        yield Warm(ours)
    server.wait()  # it ends with the connection


class WarmProcess:
    """As much of subprocess.Popen as the runner uses."""

    def __init__(self, output: int, status: int) -> None:
        self.stdout = os.fdopen(output, "rb", buffering=0)
        self._status = os.fdopen(status, "r")
        self.pid = int(self._status.readline())  # written when the process has a session of its own
        self._returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self._returncode is None:
            readable, _, _ = select.select([self._status], [], [], timeout)
            if not readable:
                raise subprocess.TimeoutExpired("a warm process", timeout or 0.0)
            self._returncode = int(self._status.readline())
            self._status.close()
        return self._returncode


def serve(connection: socket.socket) -> None:
    """Fork a keeper for every request; the keeper forks the process, and says how it ended."""
    while True:
        data, files, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 16)
        if not data:
            return
        if os.fork() == 0:
            connection.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            keep(json.loads(data), files)
            return
        for file in files:
            os.close(file)


def keep(request: dict, files: list[int]) -> None:
    output, status, *passed = [fcntl.fcntl(file, fcntl.F_DUPFD, FREE_NUMBERS) for file in files]
    for file in files:
        os.close(file)
    child = os.fork()
    if child != 0:
        _, ended = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
        os._exit(0)
    os.setsid()
    os.write(status, f"{os.getpid()}\n".encode())
    os.close(status)
    become(request, output, passed)


def become(request: dict, output: int, passed: list[int]) -> None:
    """Be what the command would have been."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for number, file in zip(request["numbers"], passed, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.sched_setaffinity(0, request["cores"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    *wrapping, module = request["command"]
    if "search.runner.process.landlock" in wrapping:
        enter_landlock(wrapping)
    else:
        assert "search.runner.process.keeper" in wrapping, f"only Landlock can wrap a warm process, not {wrapping[0]}"
        sys.path[:] = [request["cwd"], request["env"]["PYTHONPATH"], *sys.path[1:]]
    tempfile.tempdir = None  # found anew, by the new environment
    for name in [name for name in sys.modules if name.partition(".")[0] in ("search", "tests")]:
        del sys.modules[name]  # imported anew, from the new path
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def enter_landlock(wrapping: list[str]) -> None:
    """What Landlock's launcher does before it starts the command, and what that command says of Python's path."""
    grants, command = wrapping[4 : wrapping.index("--")], wrapping[wrapping.index("--") + 1 :]
    assert command[0] == "/usr/bin/env" and command[-2:] == ["-S", "-m"]
    name, _, packages = command[1].partition("=")
    os.environ[name] = packages
    own = [path for path in sys.path[1:] if path.startswith(sys.base_prefix) and "site-packages" not in path]
    sys.path[:] = [str(Path.cwd()), *packages.split(":"), *own]
    landlock.confine_further()
    landlock.restrict(
        [Path(grant[1:]) for grant in grants if grant[0] == "r"], [Path(grant[1:]) for grant in grants if grant[0] == "w"]
    )


def import_torch() -> None:
    import numpy  # noqa: F401
    import torch._dynamo  # noqa: F401


if __name__ == "__main__":
    import_torch()
    gc.freeze()  # or every process that ends by itself would take a second to clear up what it shares with this one
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are nobody's to wait for
    serve(socket.socket(fileno=int(sys.argv[1])))
