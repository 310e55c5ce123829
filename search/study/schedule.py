"""The steps of a study, and which of them can follow which.

A trial is asked for, started and told. If several trials run at once, their steps interleave, and a strategy's state
depends on that order. So the journal keeps the order, and resuming repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from search.study.contract import NoiseFloor
from search.study.trial import Candidate, Origin, Trial, Unusable, Verdict


@dataclass(frozen=True)
class Asked:
    """A trial is asked for. Times are seconds since 1970; `started`: None before an executor has it. `noise_floor`: what was
    known of it then. `repeats`: the trials that were proposed once more before this one was; None where it is not on record.
    """

    number: int
    origin: Origin
    answer: Candidate | Unusable
    training_seed: int
    time: float
    noise_floor: NoiseFloor | None
    started: float | None = None
    repeats: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Rebased:
    """A trial got a new proposal before it started, since the program it edits was replaced meanwhile."""

    number: int
    answer: Candidate | Unusable
    training_seed: int
    noise_floor: NoiseFloor | None


@dataclass(frozen=True)
class Repeated:
    """The proposal for trial `number` repeats trial `of`, which runs. The strategy is told when that one has ended."""

    number: int
    of: int
    noise_floor: NoiseFloor | None


@dataclass(frozen=True)
class Started:
    """A trial is given to an executor, or given again after it was cut off."""

    number: int
    time: float


@dataclass(frozen=True)
class Entry:
    """A trial is told: all that the journal knows of it. Times are seconds since 1970, `finished` the moment of telling.
    `repeats`: as of what was asked."""

    trial: Trial
    training_seed: int
    started: float
    finished: float
    verdict: Verdict
    repeats: tuple[int, ...] | None = None

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def origin(self) -> Origin:
        return self.trial.origin

    @property
    def score(self) -> float | None:
        return self.trial.score

    @property
    def kept(self) -> bool:
        return self.verdict.kept


Step = Asked | Rebased | Repeated | Started | Entry


@dataclass
class Schedule:
    """The steps so far, and where they have led: `entries` in the order of telling, `pending` by number in the order of
    asking."""

    steps: list[Step] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    pending: dict[int, Asked] = field(default_factory=dict)

    @property
    def next(self) -> int:
        """The number of the trial that is asked for next."""
        return len(self.entries) + len(self.pending)

    def add(self, step: Step) -> None:
        """Raises ValueError if the step cannot follow those before it."""
        number = step.number
        if isinstance(step, Asked | Repeated):
            if number != self.next:
                raise ValueError(f"trial {number} is asked for, and trial {self.next} is due")
            if isinstance(step, Asked):
                self.pending[number] = step
            elif step.of not in self.pending:
                raise ValueError(f"trial {number} repeats trial {step.of}, which does not run")
        elif number not in self.pending:
            raise ValueError(f"trial {number} goes on, and it is not due")
        elif isinstance(step, Entry):
            del self.pending[number]
            self.entries.append(step)
        else:
            self.pending[number] = _changed(self.pending[number], step)
        self.steps.append(step)

    @property
    def candidates(self) -> Mapping[int, Candidate]:
        """What is being tried, by number."""
        return {number: asked.answer for number, asked in self.pending.items() if isinstance(asked.answer, Candidate)}


def _changed(asked: Asked, step: Rebased | Started) -> Asked:
    if isinstance(step, Started):
        return replace(asked, started=step.time)
    if asked.started is not None:
        raise ValueError(f"trial {asked.number} is made anew, and it had started")
    return replace(asked, answer=step.answer, training_seed=step.training_seed, noise_floor=step.noise_floor)
