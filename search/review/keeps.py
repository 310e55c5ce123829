"""Judges each kept trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.review.luck import Noise
from search.review.read.log import Logged


class Verdict(StrEnum):
    START = "start"
    BEYOND = "beyond luck"
    TOGETHER = "together beyond luck"
    WITHIN = "within noise"
    NONE = "no improvement"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Keep:
    """One kept trial. `step`: by how much it beats the best one kept before it, negative if it does not; `gain`: by how much
    it beats the start. `beyond_below`: the noise (sd) below which the step alone would be beyond luck; None if it is not a
    gain. `verdict`: beyond luck by itself, or only together with the keeps since the last one that was."""

    number: int
    commit: str
    description: str
    score: float
    step: float
    gain: float
    beyond_below: float | None
    verdict: Verdict


def keeps_of(
    kept: Sequence[Logged], costs: Sequence[float], beyond: Sequence[int], noise: Noise | None, width: float
) -> tuple[Keep, ...]:
    """Judges the kept trials. `costs`: theirs, lower is better; `beyond`: those that `steps` finds, by index; `width`: the
    margin in standard deviations."""
    found, best = [], costs[0]
    for index, (trial, cost) in enumerate(zip(kept, costs, strict=True)):
        step = best - cost
        best = min(best, cost)
        verdict = _verdict(index, step, beyond, None if noise is None else width * noise.sd)
        below = step / width if step > 0 else None
        found.append(
            Keep(trial.number, trial.commit, trial.description, score_of(trial), step, costs[0] - cost, below, verdict)
        )
    return tuple(found)


def _verdict(index: int, step: float, beyond: Sequence[int], margin: float | None) -> Verdict:
    """Judges one step. A step above the margin is always beyond luck, since the score that stands is never better than the
    best."""
    if index == 0:
        return Verdict.START
    if step <= 0:
        return Verdict.NONE
    if margin is None:
        return Verdict.UNKNOWN
    if index in beyond:
        return Verdict.BEYOND if step > margin else Verdict.TOGETHER
    return Verdict.WITHIN


def score_of(trial: Logged) -> float:
    """Returns the score of a trial that has one."""
    assert trial.score is not None
    return trial.score
