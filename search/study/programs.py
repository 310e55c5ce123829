"""Remembers which programs a study has asked for, so none is trained twice with one seed, and which are not trained at
all."""

from __future__ import annotations

from search.study.fingerprint import UNREADABLE, fingerprint
from search.study.readable import unreadable
from search.study.trial import Candidate, Outcome, Status, Unusable


class Programs:
    """Programs with their replicate number, and the first trial of each."""

    def __init__(self) -> None:
        self._trials: dict[tuple[str, int], int] = {}

    def trial_of(self, answer: Candidate | Unusable) -> int | None:
        """The trial that was asked for with this program and seed."""
        key = _key(answer)
        return None if key is None else self._trials.get(key)

    def add(self, answer: Candidate | Unusable, number: int) -> None:
        key = _key(answer)
        if key is not None:
            self._trials.setdefault(key, number)

    def remove(self, answer: Candidate | Unusable, number: int) -> None:
        """That trial trains something else."""
        key = _key(answer)
        if key is not None and self._trials.get(key) == number:
            del self._trials[key]


def without_training(answer: Candidate | Unusable) -> Outcome | None:
    """The outcome, if there is nothing to train."""
    if isinstance(answer, Unusable):
        return Outcome(Status.UNUSABLE, reason=answer.reason)
    problem = unreadable(answer.source)
    return Outcome(Status.UNUSABLE, reason=f"the program {problem}") if problem else None


def _key(answer: Candidate | Unusable) -> tuple[str, int] | None:
    if isinstance(answer, Unusable):
        return None
    try:
        return fingerprint(answer.source), answer.replicate
    except UNREADABLE:  # such a program is not trained either
        return None
