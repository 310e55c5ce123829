"""A multirun that is killed again and again, against one that is left alone: the same studies come out of it.

    python -m tests.storm [--trials 4] [--kills 20] [--latest 30] [--seed 0] [--folder DIR] [KEY=VALUE ...]

Nine studies on smoke (seeds, Optuna and the agent's playbook, three search seeds each), by one command and on all cores. The
journal of one is broken beforehand, so that it fails. Ends with 1 where a study was lost or differs, where a device was
shared, where a trial was done twice, or where something is left behind. Further settings go to the multirun, such as
`study.parallel=3 study.ahead=1`; what such a study proposes depends on what finished first, so that none is left alone to
compare with, and its record is only held against its own earlier lines. At last each study that was killed goes on by a
trial, for which it must make all of its proposals again.
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
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from search.study.journal import FILE
from tests.conftest import Clone, copy_repository

EXPERIMENT = "storm"
BROKEN = "optuna-tpe/1"
STUDIES = [f"{strategy}/{seed}" for strategy in ("seeds", "optuna-tpe", "agent-playbook") for seed in (0, 1, 2)]
IN_START = 4  # each fourth kill may hit the start; the others come after a trial has ended, so that the studies get on
Line = dict[str, Any]


@dataclass
class Multirun:
    clone: Clone
    trials: int  # of each study
    settings: list[str]
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        broken = self.journal(BROKEN)
        broken.parent.mkdir(parents=True)
        broken.write_text('{"kind": "nonsense"}\n')

    def journal(self, study: str) -> Path:
        return self.clone.study(f"{EXPERIMENT}/smoke/{study}") / FILE

    def lines(self, study: str) -> list[Line]:
        """The whole lines of a journal: the last may be torn."""
        path = self.journal(study)
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def start(self) -> subprocess.Popen[str]:
        return self.clone.popen(
            "-m", "strategy=seeds,optuna,agent", "seed=0,1,2", "llm=playbook", "task=smoke", f"experiment={EXPERIMENT}",
            f"study.trials={self.trials}", *self.settings,
        )  # fmt: skip

    def whole(self) -> str:
        """Run to the end. All but the broken study must then be complete. Returns what was said."""
        process = self.start()
        output, _ = process.communicate()
        if process.returncode != 1 or "Traceback" in output:
            self.wrong.append(f"exit code {process.returncode}, where the broken study makes it 1:\n{output}")
        return output

    def storm(self, moments: Sequence[float]) -> None:
        for number, moment in enumerate(moments):
            done, process = self.done(), self.start()
            while number % IN_START and process.poll() is None and self.done() == done:
                time.sleep(1.0)
            time.sleep(moment)
            before = self.record()
            process.send_signal(signal.SIGKILL)
            process.communicate()  # ends when the last of its workers has closed the pipe
            print(f"  kill {number + 1}: {self.done()} trials done", flush=True)
            changed = [study for study, lines in self.record().items() if lines[: len(before[study])] != before[study]]
            self.wrong += [f"{study}: its record was changed by kill {number + 1}" for study in changed]
        self.whole()

    def done(self) -> int:
        """Trials that are told."""
        return sum(len(self.told(study)) for study in STUDIES)

    def record(self) -> dict[str, list[Line]]:
        return {study: self.lines(study) for study in STUDIES}

    def told(self, study: str) -> dict[int, Line]:
        return {line["number"]: line for line in self.lines(study) if line["kind"] == "told"}

    def results(self, study: str) -> dict[int, tuple[Any, ...]]:
        """Of each trial: its program, how it ended, and its score."""
        asked = {line["number"]: line["answer"] for line in self.lines(study) if line["kind"] in ("asked", "rebased")}
        told = self.told(study)
        return {
            number: (asked[number].get("source"), line["outcome"]["status"], line["outcome"]["val_bpb"])
            for number, line in told.items()
        }


def doubled(run: Multirun) -> list[str]:
    """Trials that are told or asked for twice, and studies that did not come to their end."""
    wrong = []
    for study in STUDIES:
        for kind in ("asked", "told"):
            numbers = [line["number"] for line in run.lines(study) if line["kind"] == kind]
            if len(numbers) != len(set(numbers)):
                wrong.append(f"{study}: {kind} twice: {numbers}")
        ended = [line["reason"] for line in run.lines(study) if line["kind"] == "ended"]
        if study != BROKEN and ended[-1:] != [f"all {run.trials} trials are done"]:
            wrong.append(f"{study} is not complete: {ended}")
    return wrong


def shared(run: Multirun) -> list[str]:
    """Trials whose training runs were on one device at one time, by what is on record."""
    intervals = defaultdict(list)
    for study in STUDIES:
        for number, line in run.told(study).items():
            outcome, end = line["outcome"], line["time"]
            if outcome["device"]:
                intervals[outcome["device"]].append((end - sum(outcome["seconds"].values()), end, f"{study} trial {number}"))
    print(f"devices: { ({device: len(trials) for device, trials in intervals.items()}) }")
    return [
        f"{first[2]} and {second[2]} were both on {device}"
        for device, trials in intervals.items()
        for first, second in pairwise(sorted(trials))
        if second[0] < first[1] - 1.0  # seconds between the end of a trial and its line in the journal
    ]


def left_behind(run: Multirun, base: Path) -> list[str]:
    wrong = [f"{path} is left" for path in (base / "tmp").iterdir()]
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if str(process.info["cwd"]).startswith(str(run.clone.root)):
            wrong.append(f"a process is left: {process.info['cmdline']}")
    return wrong + [f"{path} is left" for path in run.clone.root.glob("mlruns/studies/**/*") if path.match("work/*")]


def storm(base: Path, trials: int, moments: Sequence[float], settings: list[str]) -> list[str]:
    """All of it, in a folder that is there and empty. `moments`: of the kills, in seconds. Returns what is wrong."""
    (base / "tmp").mkdir()
    os.environ |= {"FAIRTRIAL_LEASES": str(base / "leases"), "TMPDIR": str(base / "tmp")}
    comparable = not any(setting.startswith(("study.parallel=", "study.ahead=")) for setting in settings)
    runs = []
    for name in ("storm", "calm")[: 1 + comparable]:
        copy_repository(base / name)
        runs.append(Multirun(Clone(base / name), trials, settings))
    for calm in runs[1:]:
        print("left alone", flush=True)
        print(calm.whole().splitlines()[-1], flush=True)
    stormy = runs[0]
    print(f"killed {len(moments)} times", flush=True)
    stormy.storm(moments)
    wrong = [f"{study} differs" for calm in runs[1:] for study in STUDIES if calm.results(study) != stormy.results(study)]
    stormy.trials += 1
    print(stormy.whole().splitlines()[-1], flush=True)
    for run in runs:
        wrong += run.wrong + doubled(run) + shared(run) + left_behind(run, base)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--latest", type=float, default=30.0, help="seconds to a kill: more on a slow machine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="an empty folder to look at afterwards")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="for the multirun")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    moments = [draw.uniform(0, given.latest) for _ in range(given.kills)]
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        wrong = storm(given.folder or Path(folder), given.trials, moments, given.settings)
    print("\n".join(wrong) or "the storm changed nothing")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
