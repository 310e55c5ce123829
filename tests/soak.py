"""A night in which everything goes wrong, against a calm one: the same study comes out of it.

    python -m tests.soak [--trials 60] [--kills 15] [--seed 0] [--cold] [--folder DIR]

An agent's study on smoke is run twice by real processes. The calm one has servers that work. The other's LLM server fails
in every way that tests/servers/moody.py knows, its MLflow server stands behind a gateway that loses answers and holds calls,
and its process is killed (-9) or hung up on at random moments and started again. Ends with 1 where the two differ, or
something is left behind. `--cold`: candidates start as a user's do, and not as forks: slow, and the only way to see that
none survives.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from mlflow import MlflowClient

from search.config.places import ROOT
from search.study.journal import FILE
from search.tracking.files import SENT
from search.tracking.store import all_runs
from tests.conftest import Clone, copy_repository
from tests.sandboxes import WARM_BOX
from tests.servers.llm import serve
from tests.servers.moody import REPLIES, Moody
from tests.servers.tracking import Gateway, mlflow_server
from tests.warm import warm_server

ALL_ENDED = 7200.0  # seconds in which a signal must have ended a process, or its study; a busy machine is slow


@dataclass
class Soak:
    """`excused`: how many replies may be paid twice: one for each kill that came before a reply was on record."""

    clone: Clone
    trials: int
    kills: int
    draw: random.Random
    excused: int = 0
    starts: int = 0

    @property
    def folder(self) -> Path:
        return self.clone.study("autoresearch/smoke/agent-test/0")

    def start(self, server: Moody, gateway: Gateway) -> subprocess.Popen[str]:
        self.starts += 1
        return self.clone.popen(
            "strategy=agent", "task=smoke", "llm=local", f"llm.base_url={server.url}", "llm.model=test",
            "llm.timeout_seconds=3", f"study.trials={self.trials}", f"tracking.uri={gateway.url}", f"sandbox={WARM_BOX}",
        )  # fmt: skip

    def calm(self, server: Moody, gateway: Gateway) -> None:
        process = self.start(server, gateway)
        output, _ = process.communicate()
        assert process.returncode == 0 and len(self.done()) >= self.trials, output

    def storm(self, server: Moody, gateway: Gateway) -> list[str]:
        """Returns what went wrong on the way."""
        wrong = []
        for _ in range(self.kills):
            process = self.start(server, gateway)
            reader = _reading(process)
            name = self._strike(process)
            process.wait(ALL_ENDED)
            reader.join()
            unrecorded = sum(server.paid.values()) - self.excused - self.calls().total()
            self.excused += process.returncode == -signal.SIGKILL and unrecorded > 0
            print(f"  {name}: exit code {process.returncode}, {len(self.done())} trials done", flush=True)
            if process.returncode not in (0, -signal.SIGKILL, 130) or "Traceback" in reader.output:
                wrong.append(f"{name}: exit code {process.returncode}:\n{reader.output}")
        process = self.start(server, gateway)
        output, _ = process.communicate()
        if process.returncode != 0 or "Traceback" in output:
            wrong.append(f"the last start: exit code {process.returncode}:\n{output}")
        return wrong

    def _strike(self, process: subprocess.Popen[str]) -> str:
        """Wait for a random moment of the study, or its end, and send a random signal."""
        lines = len(self.lines()) + self.draw.randint(0, 3 * max(1, 2 * self.trials // self.kills))
        until = time.monotonic() + ALL_ENDED
        while len(self.lines()) < lines and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(self.draw.uniform(0, 3))
        number = self.draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGHUP])
        process.send_signal(number)
        return number.name

    def lines(self) -> list[str]:
        journal = self.folder / FILE
        return journal.read_text(errors="replace").splitlines() if journal.exists() else []

    def done(self) -> dict[int, tuple[str, float | None, str]]:
        """Of each trial its program or why there is none, its score and its status."""
        lines = [json.loads(line) for line in self.lines()]
        answers = {line["number"]: line["answer"] for line in lines if line["kind"] == "asked"}
        return {
            line["number"]: (
                answers[line["number"]].get("source") or answers[line["number"]]["reason"],
                line["outcome"]["val_bpb"],
                line["outcome"]["status"],
            )
            for line in lines
            if line["kind"] == "told"
        }

    def calls(self) -> Counter[str]:
        """The recorded replies of each trial."""
        return Counter(path.parent.name for path in self.folder.glob("attachments/*/call-*.json"))


class _reading(threading.Thread):
    """Reads what a process says, so that it never waits for that."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process, self.output = process, ""
        self.start()

    def run(self) -> None:
        assert self.process.stdout is not None
        self.output = self.process.stdout.read()


@contextmanager
def trouble(gateway: Gateway, draw: random.Random) -> Iterator[None]:
    """While this is open, every fifth answer is lost, and now and then all calls are held for some seconds."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(draw.uniform(5, 20)):
            gateway.open.clear()
            over.wait(draw.uniform(1, 5))
            gateway.open.set()

    gateway.loses = lambda path: draw.random() < 0.2
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        gateway.loses = lambda path: False


def differences(calm: Soak, storm: Soak, server: Moody) -> list[str]:
    wrong = [
        f"trial {number}: {calm.done().get(number)} in calm, {storm.done().get(number)} in the storm"
        for number in sorted(calm.done().keys() | storm.done().keys())
        if calm.done().get(number) != storm.done().get(number)
    ]
    if calm.calls() != storm.calls():
        wrong.append(f"replies on record: {calm.calls()} in calm, {storm.calls()} in the storm")
    twice = {call: count - 1 for call, count in server.paid.items() if count > 1}
    if sum(twice.values()) > storm.excused:
        wrong.append(f"paid more than once: {twice}; {storm.excused} of that is excused by kills")
    return wrong


def published(soak: Soak, gateway: Gateway) -> list[str]:
    """What is wrong with the runs in MLflow."""
    client = MlflowClient(gateway.url)
    experiment = client.get_experiment_by_name("autoresearch").experiment_id
    studies = all_runs(client, experiment, "tags.kind = 'study'")
    trials = all_runs(client, experiment, "tags.kind = 'trial'")
    numbers = sorted(int(run.data.tags["fairtrial.trial"]) for run in trials)
    wrong = [] if numbers == sorted(soak.done()) else [f"trials in MLflow: {numbers}"]
    if [run.info.status for run in studies] != ["FINISHED"]:
        wrong.append(f"runs of the study in MLflow: {[run.info.status for run in studies]}")
    return wrong + [f"{run.info.run_name} is still running" for run in trials if run.info.status == "RUNNING"]


def left_behind(root: Path, base: Path) -> list[str]:
    """Processes of a copy of the repository, leases, and temporary folders."""
    wrong = []
    for process in psutil.process_iter(["cwd", "cmdline", "pid"]):
        if str(process.info["cwd"]).startswith(str(root)):
            wrong.append(f"process {process.info['pid']}: {process.info['cmdline']}")
    held = {line.split()[5].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines() if "FLOCK" in line}
    wrong += [f"lease {path.name} is held" for path in (base / "leases").iterdir() if str(path.stat().st_ino) in held]
    wrong += [f"{path} is left" for path in (base / "tmp").iterdir()]
    wrong += [
        f"{path} is left"
        for path in (root / "mlruns" / "studies").rglob("*")
        if ".unfinished" in path.name or path.match("work/*") or path.match(f"{SENT}/*")
    ]
    return wrong


def soak(base: Path, trials: int, kills: int, seed: int, cold: bool) -> list[str]:
    """Run both, in a folder that is there and empty. Returns what is wrong."""
    (base / "tmp").mkdir()
    draw = random.Random(seed)
    with warm_server(ROOT) as warm:
        os.environ |= {
            "FAIRTRIAL_LEASES": str(base / "leases"),
            "TMPDIR": str(base / "tmp"),
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
            "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
        }
        soaks = []
        for name in ("calm", "storm"):
            copy_repository(base / name)
            soaks.append(Soak(Clone(base / name, None if cold else warm), trials, kills, draw))
        calm, storm = soaks
        print(f"calm: {trials} trials", flush=True)
        (base / "served-calm").mkdir()
        with serve(kind=Moody) as server, mlflow_server(base / "served-calm") as gateway:
            calm.calm(server, gateway)
        print(f"storm: {kills} signals", flush=True)
        (base / "served-storm").mkdir()
        with serve(kind=Moody, bad_days=draw) as server, mlflow_server(base / "served-storm") as gateway:
            with trouble(gateway, random.Random(seed)):
                wrong = storm.storm(server, gateway)
            wrong += differences(calm, storm, server) + published(storm, gateway) + left_behind(storm.clone.root, base)
            print(
                f"{storm.starts} starts, {server.outages} outages of the LLM, {sum(server.paid.values())} replies of "
                f"{min(trials, len(REPLIES))} kinds, {len(gateway.calls)} calls to MLflow"
            )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--folder", type=Path, help="an empty folder to look at afterwards")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        wrong = soak(given.folder or Path(folder), given.trials, given.kills, given.seed, given.cold)
    print("\n".join(wrong) or "the storm changed nothing")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
