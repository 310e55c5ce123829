"""Stand-ins for the slow half of a study: trials that train nothing and end in any order, and a publisher that publishes
nowhere."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from search.config.schema import StudyConfig
from search.executor.drive import drive
from search.study import source
from search.study.budget import Budget
from search.study.contract import FEWEST, NoiseFloor, Strategy
from search.study.journal import Entry, Journal
from search.study.request import Observer, Progress, TrialRequest
from search.study.study import Study
from search.study.trial import Origin, Outcome, Status, Trial

FAILURES = tuple(status for status in Status if status not in (Status.COMPLETED, Status.UNUSABLE))


@dataclass
class SyntheticRunner:
    """A score that is a smooth function of the constants, plus noise from program and training seed."""

    requests: list[TrialRequest] = field(default_factory=list)

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        self.requests.append(request)
        values = [value for value in source.constants(request.source).values() if isinstance(value, float)]
        digest = hashlib.sha256(f"{request.training_seed} {request.source}".encode()).digest()
        noise = random.Random(digest).gauss(0, 0.01)
        score = 2.0 + 0.01 * sum((value - 0.1) ** 2 for value in values) + noise
        return Outcome(Status.COMPLETED, val_bpb=score, audited=True, train_seconds=1.0)


@dataclass
class FailsOn(SyntheticRunner):
    """The same, but every trial whose number the predicate selects ends in the next kind of failure."""

    fails: Callable[[int], bool] = lambda number: False

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        outcome = super().run(request, observe)
        number = len(self.requests) - 1
        if not self.fails(number):
            return outcome
        return Outcome(FAILURES[number % len(FAILURES)], reason="injected", train_seconds=0.5)


class Dies(Exception):
    """The harness's sudden death, for tests that cannot spare a process."""


@dataclass
class DiesAt(SyntheticRunner):
    at: int = 0

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        if len(self.requests) == self.at:
            raise Dies
        return super().run(request, observe)


class OneByOne:
    """An executor whose trials end when they are waited for. A seeded draw decides which of them, so it is always the
    same for the same numbers."""

    def __init__(self, runner: SyntheticRunner, order: int = 0) -> None:
        """`order`: the seed of the order in which they end."""
        self.runner = runner
        self.order = order
        self.running: dict[int, TrialRequest] = {}
        self.most = 0  # that ever ran at once

    def submit(self, number: int, request: TrialRequest) -> None:
        self.running[number] = request
        self.most = max(self.most, len(self.running))

    def next_done(self) -> tuple[int, Outcome]:
        number = min(self.running, key=lambda number: hashlib.sha256(f"{self.order} {number}".encode()).digest())
        return number, self.runner.run(self.running.pop(number), lambda progress: None)

    def close(self) -> None:
        pass


class Nowhere:
    """Publishes nothing."""

    def publish(self) -> None:
        pass


class Silent:
    """Displays nothing."""

    def say(self, text: str) -> None:
        pass

    def asking(self, number: int, spent: str) -> None:
        pass

    def started(self, number: int, origin: Origin, note: str) -> None:
        pass

    def progress(self, number: int, progress: Progress) -> None:
        pass

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        pass


@dataclass(frozen=True)
class Several:
    """How many trials a study has at once. `order`: the seed of the order in which they end."""

    parallel: int = 1
    ahead: int = 0
    order: int = 0


ONE = Several()


def run_study(
    folder: Path,
    strategy: Strategy,
    runner: SyntheticRunner,
    stock: str,
    trials: int,
    seed: int = 0,
    anchor_every: int | None = None,
    several: Several = ONE,
    noise_floor: Callable[[], NoiseFloor | None] | None = None,
) -> tuple[str, list[Trial]]:
    """Run a study in `folder` as the harness would; return why it ended and its trials, by number. Without a
    `noise_floor` its control grows with it."""
    with Journal(folder, lambda text: None) as journal:
        budget = Budget(StudyConfig(trials=trials, anchor_every=anchor_every))
        study = Study(
            strategy,
            journal,
            budget,
            stock,
            seed,
            audit_share=0.1,
            noise_floor=noise_floor or (lambda: _growing(journal.schedule.next)),
            parallel=several.parallel,
            ahead=several.ahead,
        )
        reason = drive(study, OneByOne(runner, several.order), Silent(), Nowhere())
        return reason, sorted(study.history, key=lambda trial: trial.number)


def _growing(trials: int) -> NoiseFloor | None:
    """What a control knows that has trained so many trials."""
    return NoiseFloor(mean=2.0, sd=0.01 + 0.001 / trials, trials=trials) if trials >= FEWEST else None
