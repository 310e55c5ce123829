"""Measures how much of a night the clock of a training run is on: the real loop, with a real journal, over modeled
trials.

Waiting is skipped: a trial of 300 s takes no time. Everything else takes its real time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.bench.overheads import Overheads
from search.config.schema import StudyConfig
from search.executor.drive import drive
from search.study.budget import Budget
from search.study.contract import NoiseFloor
from search.study.journal import Journal
from search.study.request import TrialRequest
from search.study.study import Study
from search.study.trial import Candidate, Outcome, Status, Trial
from search.testing.synthetic import Nowhere, Silent

BUDGETS = (300.0, 25.0)  # seconds of training
LATENCIES = (0.0, 30.0, 120.0)  # seconds that a proposal takes
DEVICES = (1, 2, 4, 8)
TRIALS = 100  # of a night, per device


@dataclass
class Clock:
    """Seconds that have passed, with those that were skipped."""

    skipped: float = 0.0

    @property
    def now(self) -> float:
        return time.monotonic() + self.skipped

    def wait_until(self, moment: float) -> None:
        self.skipped += max(0.0, moment - self.now)


@dataclass
class Slow:
    """A strategy that takes its time to propose something new."""

    clock: Clock
    latency: float

    def ask(self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None) -> Candidate:
        self.clock.wait_until(self.clock.now + self.latency)
        return Candidate(f"LR = {len(history) + len(pending)}\n", parent=0)

    def tell(self, trial: Trial) -> None:
        pass


@dataclass
class Modelled:
    """An executor whose trials take a given time without doing anything."""

    clock: Clock
    budget: float
    overheads: Overheads
    _ends: dict[int, float] = field(default_factory=dict)

    def submit(self, number: int, request: TrialRequest) -> None:
        self._ends[number] = self.clock.now + self.overheads.before + self.budget + self.overheads.after

    def next_done(self) -> tuple[int, Outcome]:
        number = min(self._ends, key=lambda number: self._ends[number])
        self.clock.wait_until(self._ends.pop(number))
        outcome = Outcome(Status.COMPLETED, val_bpb=2.0, audited=True, train_seconds=self.budget)
        return number, outcome

    def close(self) -> None:
        pass


def share(overheads: Overheads, budget: float, latency: float, ahead: int, devices: int = 1) -> float:
    """Of a night, how long clocks were on, summed over the devices: at most as many as there are devices."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder), print) as journal:
        limits = Budget(StudyConfig(trials=TRIALS * devices))
        study = Study(Slow(clock, latency), journal, limits, "LR = -1\n", 0, 0.1, parallel=devices, ahead=ahead)
        began = clock.now
        drive(study, Modelled(clock, budget, overheads), Silent(), Nowhere())
        return sum(trial.outcome.train_seconds for trial in study.history) / (clock.now - began)


def plain_share(overheads: Overheads, budget: float, latency: float) -> float:
    """The same of a loop that asks, starts `python train.py`, waits for its score, and asks again."""
    return budget / (latency + overheads.plain + budget)


def tables(overheads: Overheads) -> Iterator[str]:
    """`overheads`: as measured on this machine."""
    yield "Seconds outside the clock, medians of real trials: "
    yield f"{overheads.before:.1f} before it starts (of which {overheads.start:.1f} of process and imports), "
    yield f"{overheads.after:.1f} after it ends; in the plain loop {overheads.plain:.1f}.\n"
    yield "Share of the night that the clock is on, with one device. Early: the next process starts while one is scored.\n"
    yield "| budget | proposal takes | plain loop | serial | `study.ahead=1` | and early |"
    yield "|---|---|---|---|---|---|"
    early = replace(overheads, before=overheads.before - min(overheads.start, overheads.after))
    for budget in BUDGETS:
        for latency in LATENCIES:
            shares = [
                plain_share(overheads, budget, latency),
                share(overheads, budget, latency, ahead=0),
                share(overheads, budget, latency, ahead=1),
                share(early, budget, latency, ahead=1),
            ]
            yield f"| {budget:g} s | {latency:g} s | " + " | ".join(f"{value:.3f}" for value in shares) + " |"
    yield "\nWith several devices, how many have the clock on: `study.parallel=N study.ahead=1`, 300 s.\n"
    yield "| devices | " + " | ".join(f"{latency:g} s" for latency in LATENCIES) + " |"
    yield "|---" * (len(LATENCIES) + 1) + "|"
    for devices in DEVICES:
        busy = [share(overheads, BUDGETS[0], latency, ahead=1, devices=devices) for latency in LATENCIES]
        yield f"| {devices} | " + " | ".join(f"{value:.2f}" for value in busy) + " |"
