"""Runs an external program to its end, or until it exceeds a limit. No process that it started is left."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import psutil

from search.runner.device.leases import Device
from search.runner.device.pinning import on_cores
from search.runner.external import walls
from search.runner.external.proxy import proxy
from search.runner.process import watchdog
from search.runner.process.watchdog import LimitExceeded, Limits, Watchdog
from search.study.external import UNPROTECTED, Ended, Program
from search.study.trial import Status

LIMITS = Limits(memory_gb=16, disk_gb=4, most_processes=1000)
LOOK_SECONDS = 0.5  # between two looks at what it uses
END_SECONDS = 10.0  # after it was asked to end, and after it was killed
HEAD, TAIL = 4 * 2**20, 2**20  # bytes that are kept of what it prints, from the beginning and from the end
LONGEST_LINE = 2**20  # bytes of a line that is listened to


class ExternalPrograms:
    """See `search.study.external.Programs`."""

    def __init__(self, device: Device | None = None, limits: Limits = LIMITS) -> None:
        """`device`: what they compute on; None where they need none."""
        self.device, self.limits = device, limits

    def check(self, program: Program) -> None:
        walls.check(program)

    def run(self, program: Program) -> Ended:
        self.check(program)
        with tempfile.TemporaryDirectory(prefix="fairtrial-") as name:
            room = Path(name)
            bare = program.sandbox == UNPROTECTED
            no_way_out = bare or not program.hosts
            way_out: AbstractContextManager[object] = nullcontext() if no_way_out else proxy(room / "proxy", program.hosts)
            with way_out:
                command, environment = (walls.unprotected if bare else walls.wrapped)(program, room, self.device)
                (room / "said").write_text(program.said, encoding="utf-8")
                with (room / "said").open("rb") as said:
                    return self._watched(program, command, dict(environment), said)

    def _watched(self, program: Program, command: list[str], environment: dict[str, str], said: IO[bytes]) -> Ended:
        began = time.monotonic()
        with on_cores(frozenset() if self.device is None else self.device.cores):
            process = subprocess.Popen(
                command,
                cwd=program.folder,
                env=environment,
                stdin=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the harness's to hear
            )
        return _until_the_end(program, process, began, Watchdog(process.pid, program.folder, self.limits))


def _until_the_end(program: Program, process: subprocess.Popen[bytes], began: float, watch: Watchdog) -> Ended:
    assert process.stdout is not None and process.stderr is not None
    printed, errors = Printed(process.stdout), Printed(process.stderr)
    try:
        why = _why_ended(program, process, printed, began + program.seconds, watch)
    finally:
        _end(process)
    seconds = round(time.monotonic() - began, 3)
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Ended(code, why, printed.text(), errors.text(), seconds)


def _why_ended(
    program: Program, process: subprocess.Popen[bytes], printed: Printed, deadline: float, watch: Watchdog
) -> str:
    """Wait until it has ended, and return an empty text; or until it has to be ended, and return why."""
    while True:
        ended = _waited(process, min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
        for line in printed.new_lines():
            if why := program.heed(line):
                return why
        if ended:
            return ""
        if time.monotonic() >= deadline:
            return f"it was still running after {program.seconds:g} seconds"
        try:
            watch.check()
        except LimitExceeded as error:
            limits = watch.limits
            files = f"it had more than {limits.most_processes:,} threads, {limits.disk_gb:g} GB or 20,000 files"
            memory = f"it used more than {limits.memory_gb:g} GB of memory"
            return memory if error.status is Status.OUT_OF_MEMORY else files


def _waited(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started. The first of them, the sandbox or the keeper, ends the others with itself."""
    others = watchdog.family(process.pid)
    if process.poll() is None:
        process.terminate()
        if not _waited(process, END_SECONDS):
            process.kill()
            process.wait()
    deadline = time.monotonic() + END_SECONDS
    while left := [other for other in (*others, *watchdog.group(process.pid)) if _runs(other)]:
        for other in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                other.kill()
        if time.monotonic() > deadline:
            raise OSError(errno.EBUSY, f"process {left[0].pid} of a command cannot be killed")
        time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    """Whether it can still do something: a zombie may wait for a second until its end is noticed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


class Printed:
    """What a program prints, read on a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._head, self._tail, self._skipped = bytearray(), bytearray(), 0
        self._lines, self._rest = list[str](), b""
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def new_lines(self) -> Iterator[str]:
        """Whole lines since the last call."""
        with self._lock:
            lines, self._lines = self._lines, []
        return iter(lines)

    def text(self) -> str:
        """All that is kept, when the program has ended. What it wrote is not made harmless for a terminal."""
        self._reader.join(END_SECONDS)
        with self._lock:
            gap = f"\n[... {self._skipped:,} bytes left out ...]\n".encode() if self._skipped else b""
            return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.read1(HEAD):  # type: ignore[attr-defined]
                with self._lock:
                    self._keep(data)

    def _keep(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._lines += [line.decode("utf-8", "replace") for line in lines]
        self._rest = rest[-LONGEST_LINE:]
        room = HEAD - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > TAIL:
            self._skipped += len(self._tail) - TAIL
            del self._tail[: len(self._tail) - TAIL]
