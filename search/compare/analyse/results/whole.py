"""The whole result of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from search.compare.analyse.results.contrasts import Contrast
from search.compare.analyse.results.course import MedianCurve, Reliability, StudyCurve
from search.compare.analyse.results.gains import ConfirmationFacts, StrategyResult, StudyResult
from search.compare.analyse.results.noise import Noise
from search.compare.analyse.results.speed import Speed
from search.compare.analyse.results.values import Missing


@dataclass(frozen=True)
class Analysis:
    """All that a report says. `verdict`: a few plain sentences. `cautions`: what a reader should know before believing it.
    `missing`: what the minima of a stated contrast lack, with commands. `speed`: None where budgets are tokens."""

    schema: int
    experiment: str
    task: str
    task_facts: dict[str, Any]
    task_fingerprint: str
    noise: Noise
    speed: Speed | None
    confirmation: ConfirmationFacts | None
    studies: tuple[StudyResult, ...]
    strategies: tuple[StrategyResult, ...]
    headline: tuple[Contrast, ...]
    reliability: tuple[Reliability, ...]
    curves: tuple[StudyCurve, ...]
    medians: tuple[MedianCurve, ...]
    missing: tuple[Missing, ...]
    cautions: tuple[str, ...]
    verdict: tuple[str, ...]
