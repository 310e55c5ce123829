"""What a comparison finds: frozen values that the report and the pictures are made of.

Scores are bits per byte, lower is better. Gains and advantages are differences of them, positive where something is better.
Intervals are two-sided at 95 %. None stands where a number is not known, and never for zero.
"""

from __future__ import annotations

from search.compare.analyse.results.contrasts import Contrast, Needed, Pair
from search.compare.analyse.results.course import Changes, MedianCurve, Reliability, StudyCurve
from search.compare.analyse.results.gains import (
    Arm,
    ConfirmationFacts,
    Confirmed,
    ConstantChange,
    Decomposition,
    Edit,
    FailedRepeat,
    Gain,
    StrategyResult,
    StudyResult,
)
from search.compare.analyse.results.noise import ControlNoise, ControlStudy, Drift, Noise, NullBand, SameSeed
from search.compare.analyse.results.speed import (
    FRESH_SEEDS,
    SAME_SEED,
    Speed,
    SpeedEffect,
    StockSpeed,
    StudySpeed,
    TokensSeen,
    WinnerSpeed,
    WinnersSpeed,
)
from search.compare.analyse.results.values import ALPHA, CONFIDENCE, Estimate, Missing, Spread
from search.compare.analyse.results.whole import Analysis

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "FRESH_SEEDS",
    "SAME_SEED",
    "Analysis",
    "Arm",
    "Changes",
    "ConfirmationFacts",
    "Confirmed",
    "ConstantChange",
    "Contrast",
    "ControlNoise",
    "ControlStudy",
    "Decomposition",
    "Drift",
    "Edit",
    "Estimate",
    "FailedRepeat",
    "Gain",
    "MedianCurve",
    "Missing",
    "Needed",
    "Noise",
    "NullBand",
    "Pair",
    "Reliability",
    "SameSeed",
    "Speed",
    "SpeedEffect",
    "Spread",
    "StockSpeed",
    "StrategyResult",
    "StudyCurve",
    "StudyResult",
    "StudySpeed",
    "TokensSeen",
    "WinnerSpeed",
    "WinnersSpeed",
]
