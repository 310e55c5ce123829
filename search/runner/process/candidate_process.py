"""A process that runs candidate code: its environment, its channel, its log, and its end."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import psutil

from search.config.messages import printable
from search.config.places import ROOT
from search.runner.device.leases import Device
from search.runner.device.pinning import on_cores
from search.runner.device.telemetry import Telemetry
from search.runner.process import watchdog
from search.runner.process.compile_cache import CACHE
from search.runner.process.pause import paused
from search.runner.process.sandbox import Sandbox
from search.runner.process.watchdog import LimitExceeded, Limits, Use, Watchdog
from search.task.confine import FILE_BYTES_VARIABLE
from search.task.protocol import CHANNEL_VARIABLE, Channel, Message, ProtocolError

# What a candidate's process may inherit of the caller's environment; everything else, keys above all, stays out.
INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "CC",
    "TRITON_LIBCUDA_PATH",
    "ROCM_PATH",
    "HSA_OVERRIDE_GFX_VERSION",  # without it ROCm refuses many consumer cards
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)
LOG_HEAD = 65_536  # bytes of output kept from the beginning,
LOG_TAIL = 262_144  # and from the end; what lies between is only counted
PASSED_ON_SIGNAL = 128  # a sandbox passes the signal that killed its process on as 128 + its number
WATCH_SECONDS = 0.5  # between two looks at what the process uses; each takes milliseconds
HANG_UP_SECONDS = 5.0  # a process may live on after it has closed its channel
GONE_SECONDS = 30.0  # after they were killed; a GPU's driver may take its time


class Ended(Exception):
    """The process ended, or closed its channel, before it sent the expected message."""

    def __init__(self, returncode: int | None) -> None:
        """`returncode`: as subprocess gives it; None if the process hung up and had to be killed."""
        if returncode is not None and returncode > PASSED_ON_SIGNAL:
            returncode = PASSED_ON_SIGNAL - returncode
        self.returncode = returncode  # negative for a signal
        if returncode is None:
            super().__init__("it hung up on the harness")
        elif returncode < 0:
            super().__init__(f"killed by {signal.Signals(-returncode).name}")
        else:
            super().__init__(f"ended with exit code {returncode}")


class CandidateProcess:
    """`python -m module` in `folder`, in a sandbox and a process group of its own, with nothing but a channel to the caller.

    Use as a context manager: leaving it kills the whole group.
    """

    def __init__(
        self, module: str, folder: Path, device: Device, sandbox: Sandbox, limits: Limits, supervised: bool = False
    ) -> None:
        """`supervised`: the caller will answer its calls (`search.runner.process.lookups`). An open file for that comes with
        the first message: `channel.take_file`."""
        self._device, self._limits, self._watched = device, limits, 0.0
        self.peak_memory_mb = 0.0  # of the machine's, at any look
        self.telemetry: Telemetry | None = None  # is told about each look
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours, expects_file=supervised)
        self._events: deque[Message] = deque()
        self._head, self._tail, self._skipped, self._output_ended = bytearray(), bytearray(), 0, False
        self.spawned = time.monotonic()
        with theirs, on_cores(device.cores):
            self._process = subprocess.Popen(
                sandbox.wrap([sys.executable, "-m", module], folder, device, supervised),
                cwd=folder,
                env=_environment(folder, device, theirs.fileno(), limits),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watchdog = Watchdog(self._process.pid, folder, limits)
        if sys.platform == "linux":  # where memory runs out, the kernel is to end this process and not the harness
            with contextlib.suppress(OSError):  # it may have ended already
                Path(f"/proc/{self._process.pid}/oom_score_adj").write_text("1000")
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    def __enter__(self) -> CandidateProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def next_event(self, deadline: float) -> Message | None:
        """The next message, or None at the deadline (a `time.monotonic()` value).

        Raises Ended where none will come, ProtocolError where what came is no message, LimitExceeded, and Revoked.
        """
        while not self._events:
            self._device.check()
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._watch()
            if self.channel.closed:
                raise self._end(left)
            watched = [self.channel.fileno()] + ([] if self._output_ended else [self._output.fileno()])
            readable, _, _ = select.select(watched, [], [], min(left, WATCH_SECONDS))
            if self._output.fileno() in readable:
                self._read_output()
            if self.channel.fileno() in readable:
                self._events.extend(self.channel.pending())
        return self._events.popleft()

    def wait_for(self, event: str, deadline: float) -> Message | None:
        """The next message of that name, or None at the deadline; what else arrives is dropped. Raises as `next_event`."""
        while (message := self.next_event(deadline)) is not None:
            if message["event"] == event:
                return message
        return None

    def linger(self) -> None:
        """After it has reported a failure: give it a few seconds to print its traceback and end by itself."""
        with contextlib.suppress(Ended, ProtocolError, LimitExceeded):
            self.wait_for("end", time.monotonic() + HANG_UP_SECONDS)

    def look(self) -> Use:
        """See what the process uses, and tell its telemetry. Raises LimitExceeded where that is too much."""
        self._watched = time.monotonic()
        use = self._watchdog.check()
        self.peak_memory_mb = max(self.peak_memory_mb, use.memory_mb)
        reading = None if self._device.card is None else self._device.card.read()
        if self.telemetry is not None:
            self.telemetry.take(use, reading)
        if reading is not None and reading.memory_mb is not None:
            watchdog.check_card(reading.memory_mb, self._limits)
        return use

    def cpu_seconds(self) -> float:
        """Of processor time, used so far by it and what it started."""
        return self._watchdog.cpu_seconds(watchdog.family(self._process.pid))

    def paused(self, deadline: float) -> AbstractContextManager[bool]:
        """See `search.runner.process.pause`."""
        return paused(self._process.pid, deadline)

    def kill(self) -> None:
        """End the process and everything in its group at once. Its output stays readable."""
        others = watchdog.family(self._process.pid)
        with contextlib.suppress(ProcessLookupError):  # already gone, with all its children
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._bury(others)
        if not self._output.closed:
            self._read_output()
            self._output.close()
        self.channel.close()

    def _bury(self, others: list[psutil.Process]) -> None:
        """Wait until nothing of it runs: what still writes would be in the way of whoever clears up. What a sandbox started
        may be in another group, and ends with the sandbox's first process. Raises OSError if it does not end."""
        deadline = time.monotonic() + GONE_SECONDS
        while left := [process for process in (*others, *watchdog.group(self._process.pid)) if _runs(process)]:
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, f"process {left[0].pid} of a candidate cannot be killed")
            time.sleep(0.01)

    def log(self) -> str:
        """What the process printed, without terminal escapes, cut in the middle where it is too long."""
        gap = f"\n[... {self._skipped:,} bytes left out ...]\n".encode() if self._skipped else b""
        return printable((bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace"))

    def _watch(self) -> None:
        if time.monotonic() - self._watched >= WATCH_SECONDS:
            self.look()

    def _end(self, seconds: float) -> Ended:
        """How a process that has hung up ended; one that lingers is killed."""
        try:
            return Ended(self._process.wait(min(seconds, HANG_UP_SECONDS)))
        except subprocess.TimeoutExpired:
            self.kill()
            return Ended(None)

    def _read_output(self) -> None:
        """Read all that is there; keep the beginning and the end."""
        while not self._output_ended:
            try:
                data = os.read(self._output.fileno(), LOG_HEAD)
            except BlockingIOError:
                return
            self._output_ended = not data
            room = LOG_HEAD - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            if len(self._tail) > LOG_TAIL:
                self._skipped += len(self._tail) - LOG_TAIL
                del self._tail[: len(self._tail) - LOG_TAIL]


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _environment(folder: Path, device: Device, channel: int, limits: Limits) -> Mapping[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    threads = str(max(1, len(device.cores)))
    return {
        **inherited,
        **device.environment,
        CHANNEL_VARIABLE: str(channel),
        FILE_BYTES_VARIABLE: str(limits.disk_bytes),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "USER": "candidate",  # compilers name their caches by it, and in a sandbox there is no list of users
        "TORCHINDUCTOR_CACHE_DIR": str(folder / CACHE),
        "TRITON_CACHE_DIR": str(folder / CACHE / "triton"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
