"""Runs programs of the zoo as real trials, beside things that they must not reach, and says what harm they did."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.config.schema import Config
from search.data.tokens import Prepared
from search.executor.local import make_runner
from search.runner.trial_runner import TrialRequest
from search.study.trial import Outcome, Status
from tests.zoo import PLAIN, Program

SEED = 1
LONGEST_LOG = 1_000_000  # bytes
SETTLED_SECONDS = 1.2  # by then a process that was left behind has done its harm
STOP = b"stop"


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    harm: list[str]


@dataclass(frozen=True)
class Zoo:
    """The task, and what the honest program scores on it. `ports`: of a server on this machine, TCP and UDP."""

    config: Config = field(repr=False)
    prepared: Prepared = field(repr=False)
    ports: tuple[int, int]
    stock_nats: bytes = field(repr=False)
    honest_bpb: float
    spent: dict[str, float] = field(repr=False)  # by the honest program, beside its budget

    def run(self, program: Program, sandbox: str, folder: Path, audited: bool = True, **settings) -> Result:
        """One trial of a program in a sandbox; `settings` change the task beyond what the program asks for itself."""
        mark = uuid.uuid4().hex
        (folder / "stock_nats.f32").write_bytes(self.stock_nats)
        request = TrialRequest(
            self._placed(program.source, mark),
            SEED,
            folder / "logs" / "trial",
            beat=None if audited else 0.0,
            audit_anyway=audited,
            stock=self.spent,
        )
        task = replace(program.task(self.config.task), **settings)
        runner = make_runner(replace(self.config, task=task, sandbox=sandbox), self.prepared, folder)
        with contextlib.closing(runner), surroundings(folder):
            try:
                outcome = runner.run(request, lambda progress: None)
                for log in sorted(folder.glob("logs/*.scoring.txt")):
                    print(log.read_text()[-2000:])  # shown where a test fails
                return Result(outcome, [*_harm(folder, outcome, mark)])
            finally:
                clear(folder, mark)

    def complaint(self, program: Program, result: Result, audited: bool = True) -> str | None:
        """Why the end is not one that the program's header allows, or None."""
        if result.harm:
            return f"harm: {result.harm}"
        outcome = result.outcome
        ends = program.ends
        if outcome.status is not Status.COMPLETED:
            return None if outcome.status in ends else f"ended {outcome.status}: {outcome.reason}"
        assert outcome.val_bpb is not None
        deserved = (
            ("honest" in ends and outcome.val_bpb == self.honest_bpb)
            or ("worse" in ends and outcome.val_bpb > self.honest_bpb)
            or "own" in ends
        )
        if not deserved:
            return f"scored {outcome.val_bpb}, and the honest program {self.honest_bpb}"
        return None if outcome.audited == audited else f"audited: {outcome.audited}"

    def _placed(self, source: str, mark: str) -> str:
        """The source with this machine's ports, with the tokens' bytes, and with names that no other test uses at the same
        time."""
        connections, datagrams = self.ports
        placed = source.replace("47113", str(connections)).replace("47114", str(datagrams))
        if '"zoo-tokens"' in placed:
            placed = placed.replace('"zoo-tokens"', repr(self.prepared.tokenizer().tokens))
        return placed.replace("zoo-survivor", f"survivor-{mark}").replace("/dev/shm/zoo", f"/dev/shm/{mark}")


def make_zoo(config: Config, prepared: Prepared, ports: tuple[int, int], folder: Path) -> Zoo:
    """Runs the honest program as the stock of a study, by whose claims later ones are judged."""
    runner = make_runner(replace(config, sandbox="none"), prepared, folder)
    request = TrialRequest(PLAIN.source, SEED, folder / "logs" / "stock", is_stock=True)
    with contextlib.closing(runner):
        outcome = runner.run(request, lambda progress: None)
    assert outcome.val_bpb is not None and outcome.audited, outcome.reason
    nats = (folder / "stock_nats.f32").read_bytes()
    return Zoo(config, prepared, ports, nats, outcome.val_bpb, outcome.spent)


@contextlib.contextmanager
def server() -> Iterator[tuple[int, int]]:
    """A server that a candidate could reach if there were a network: its TCP and its UDP port."""
    with socket.create_server(("127.0.0.1", 0)) as connections, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        echo = threading.Thread(target=_echo, args=(datagrams,))
        echo.start()
        yield connections.getsockname()[1], datagrams.getsockname()[1]
        datagrams.sendto(STOP, datagrams.getsockname())
        echo.join()


def _echo(datagrams: socket.socket) -> None:
    while (received := datagrams.recvfrom(64))[0] != STOP:
        datagrams.sendto(*received)


@contextlib.contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """What lies around a trial's folder in a study: other trials' files, and some service's socket."""
    others = folder / "others"
    others.mkdir(exist_ok=True)
    for name in ("weights.pt", "attributes"):
        (others / name).write_text("another trial's")
    with socket.socket(socket.AF_UNIX) as service, contextlib.chdir(folder):  # the whole path would be too long
        service.bind("service")
        service.listen()
        try:
            yield
        finally:
            (folder / "service").unlink()
            (others / "attributes").chmod(0o600)


def _harm(folder: Path, outcome: Outcome, mark: str) -> Iterator[str]:
    """Proofs of what a program reached: what it says in its output, what it left, and what still runs."""
    time.sleep(SETTLED_SECONDS if any(_survivors(mark)) else 0.0)
    yield from (f"process {process} lives on" for process in _survivors(mark))
    if (folder / "harm").exists():
        yield "wrote into the study's folder"
    if "harm:" in outcome.reason:
        yield outcome.reason
    for log in sorted(folder.glob("logs/*")):
        if log.stat().st_size > LONGEST_LOG:
            yield f"{log.name} has {log.stat().st_size:,} bytes"
        else:
            yield from (line for line in log.read_text().splitlines() if line.startswith(("harm:", "ValueError: harm:")))


def _survivors(mark: str) -> list[int]:
    """Processes that have the mark among their arguments."""
    found = []
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # gone by now
            if f"survivor-{mark}".encode() in arguments.read_bytes():
                found.append(int(arguments.parent.name))
    return found


def clear(folder: Path, mark: str) -> None:
    """Take away what a cheat may have left: processes, shared memory, folders too deep for Python."""
    for process in _survivors(mark):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgid(process), signal.SIGKILL)  # its group was made for the trial
    for left in Path("/dev/shm").glob(f"{mark}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    (folder / "harm").unlink(missing_ok=True)
    subprocess.run(["rm", "-rf", folder / "work"], check=True)
