"""The only definition of the winner: the trial that represents a study, and whose program a user would keep.

Of the kept trials that have a score, it is the one that was told last. The strategy decides what is kept. If it does
not judge, the study keeps each trial that is better than all before it, so the winner has the best score. `Trial.score`
says which trials have one: no anchor, no duplicate, nothing that failed or was not audited.

A keep rule that trains a program again before keeping it gives its verdict on the last of these training runs. That run
is then the winner, not the first one, which was chosen for being lucky. Both are of the same program, but only the last
score is unbiased.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol, TypeVar

from search.study.trial import Origin, Trial, Verdict


class Scored(Protocol):
    """A trial. `score`: None if it cannot win."""

    @property
    def number(self) -> int: ...
    @property
    def score(self) -> float | None: ...


class Judged(Scored, Protocol):
    """A trial with its verdict: an entry of a journal, or a row of a table. `finished`: the moment of telling."""

    @property
    def origin(self) -> str: ...
    @property
    def finished(self) -> float: ...
    @property
    def kept(self) -> bool | None: ...


S = TypeVar("S", bound=Scored)
J = TypeVar("J", bound=Judged)


def ranked(trials: Iterable[S]) -> list[S]:
    """The trials that have a score, best first; ties in the order of the trials."""
    found = [(trial.score, trial.number, trial) for trial in trials if trial.score is not None]
    return [trial for _, _, trial in sorted(found, key=lambda entry: entry[:2])]


def winner_of(trials: Iterable[J]) -> J | None:
    """The winner among trials in any order; None if no trial with a score was kept."""
    kept = (trial for trial in trials if trial.kept and trial.score is not None)
    return max(kept, key=lambda trial: (trial.finished, trial.number), default=None)


def by_best_score(trial: Trial, best: Trial | None) -> Verdict:
    """The verdict if a strategy gives none: a trial is kept if it is better than the best score so far."""
    if trial.val_bpb is None:
        return Verdict(False, trial.outcome.reason)
    if trial.origin is Origin.ANCHOR:
        return Verdict(False, f"{trial.val_bpb:.4f}: an anchor, which shows drift and cannot win")
    if best is None or best.val_bpb is None:
        return Verdict(True, f"{trial.val_bpb:.4f}: the first score")
    better, words = trial.val_bpb < best.val_bpb, compared(trial.val_bpb, best.val_bpb, best.number)
    if better and not trial.outcome.audited:
        return Verdict(False, f"{words}, but not audited")
    return Verdict(better, words)


def compared(score: float, other: float, number: int) -> str:
    """A score against that of trial `number`, without a sign, such as `0.0012 better than trial 3`."""
    return f"{abs(score - other):.4f} {'better' if score < other else 'worse'} than trial {number}"


def winner_at(trials: Iterable[J], budget: int) -> J | None:
    """The winner as of the first `budget` trials, anchors not counted. `trials`: in their order."""
    return winner_of(islice((trial for trial in trials if trial.origin != Origin.ANCHOR), budget))


def finalists(trials: Sequence[J]) -> list[J]:
    """The winner first, then the other trials that have a score, best first; empty if there is no winner."""
    winner = winner_of(trials)
    return [] if winner is None else [winner, *(trial for trial in ranked(trials) if trial is not winner)]
