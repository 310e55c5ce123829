"""Trials that ended without a score, one by one: whoever was disqualified stands here with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.read.tables import Experiment
from search.study.trial import Status


@dataclass(frozen=True)
class FailedTrial:
    """A trial without a score."""

    study: str
    trial: int
    status: str
    reason: str


def failed_trials(experiment: Experiment) -> tuple[FailedTrial, ...]:
    """Those without a score, and what became of them; the disqualified come first."""
    found = (
        FailedTrial(study.identity, row.number, row.status, row.reason)
        for study in experiment.studies
        for row in study.rows
        if row.status != Status.COMPLETED
    )
    return tuple(sorted(found, key=lambda one: one.status != Status.DISQUALIFIED))
