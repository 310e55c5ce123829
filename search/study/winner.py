"""The winner, the trial that a study stands for: the best by `score`. `Trial.score` says which trials have one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Scored(Protocol):
    """A trial, or a row of a table of trials. `score`: None where it cannot win."""

    @property
    def number(self) -> int: ...
    @property
    def score(self) -> float | None: ...


T = TypeVar("T", bound=Scored)


def ranked(trials: Iterable[T]) -> list[T]:
    """The trials that have a score, best first; of equals the first comes first."""
    found = [(trial.score, trial.number, trial) for trial in trials if trial.score is not None]
    return [trial for _, _, trial in sorted(found, key=lambda entry: entry[:2])]


def winner_of(trials: Iterable[T]) -> T | None:
    """The best trial by search score, the first of equals; None where none has a score."""
    return next(iter(ranked(trials)), None)
