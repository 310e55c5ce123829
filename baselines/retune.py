"""Tuning after the fact: Optuna over the constants of another study's winner. Shows what tuning adds to what that study
found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.config.schema import build
from search.strategy import (
    Candidate,
    DimensionConfig,
    Done,
    NoiseFloor,
    Strategy,
    TaskFacts,
    Trial,
    Unusable,
    UserError,
    Verdict,
)
from search.study.own_space import own_space


class Retune:
    """Begins with the stock, as every study, so that gains compare. Its first own trial is the other's winner. The
    tuner treats that as its stock, and proposes all further trials.

    `of`: the other study (see `search.study.reads.Reads.study`). `space`: ranges of constants that it may have, as
    `own_space` takes them. `tuning`: a `_target_` node of the strategy that tunes, which is given task, seed and space.
    """

    def __init__(
        self, task: TaskFacts, seed: int, of: str, space: Mapping[str, DimensionConfig], tuning: Mapping[str, Any]
    ) -> None:
        self.winner = task.read(of).start
        own = own_space(self.winner.source, space)
        if not own:
            raise UserError(f"strategy.of={of}: its winner has no constants to tune")
        self.tuner: Strategy = build(dict(tuning), task=replace(task, stock=self.winner.source), seed=seed, space=own)
        self.first: int | None = None  # the trial of the winner; that of the stock, if it is the same program
        self.waits = True  # for what becomes of it

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        if self.first is None:
            self.first = len(history) + len(pending)
            return self.winner
        answer = self.tuner.ask(history, pending, noise_floor)
        return replace(answer, parent=self.first) if isinstance(answer, Candidate) else answer

    def tell(self, trial: Trial) -> Verdict | None:
        if trial.number == 0:
            return None
        if not self.waits or trial.number != self.first:
            return self.tuner.tell(trial)
        self.waits = False
        self.first = trial.number if trial.duplicate_of is None else trial.duplicate_of
        return self.tuner.tell(replace(trial, number=0))
