"""What a study asks of a runner, and what it learns while a trial runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from search.study.prune import Rule


@dataclass(frozen=True)
class TrialRequest:
    """What is to be run. `beat`: the score that would make it its study's best (None: any would).

    `is_stock`: its claims become the reference that later challenges are drawn by. `audit_anyway`: challenge it even if
    it cannot win. `logs`: where its output goes, without a suffix. `stock`: what the study's stock spent besides the
    budget, by the names of `Outcome.spent`; None if it has not run. `prune`: the rule that may end it early, if there
    is one.
    """

    source: str
    training_seed: int
    logs: Path
    beat: float | None = None
    is_stock: bool = False
    audit_anyway: bool = False
    stock: Mapping[str, float] | None = None
    prune: Rule | None = None


@dataclass(frozen=True)
class Progress:
    """What the training run is doing: `share` of the budget spent; the rest as the process reports it. `holders`: who
    holds the device that a trial waits for."""

    phase: str
    share: float = 0.0
    loss: float | None = None
    tokens: int = 0
    train_seconds: float = 0.0
    holders: str = ""


Observer = Callable[[Progress], None]
