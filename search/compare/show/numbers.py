"""Numbers in words: one way for the terminal, the report and its pictures."""

from __future__ import annotations

import math

from search.compare.analyse.finding import Estimate
from search.compare.analyse.noise import Noise

FEWEST = 4  # decimals of a score
UNCHANGED = "unchanged"  # stands for a 0 that follows from nothing of the kind having changed


class Numbers:
    """Scores and gains with as many decimals as the noise floor makes meaningful, and never fewer than four."""

    def __init__(self, noise: Noise) -> None:
        sd = 0.0 if noise.sd is None else noise.sd.sd
        self.decimals = max(FEWEST, math.ceil(-math.log10(sd)) + 1) if sd > 0 else FEWEST

    def plain(self, value: float) -> str:
        return f"{value:.{self.decimals}f}"

    def signed(self, value: float) -> str:
        """Writes a gain with its sign; positive is better. What rounds to 0 has none."""
        rounded = round(value, self.decimals)
        return f"{rounded:+.{self.decimals}f}" if rounded else self.plain(0.0)

    def estimate(self, estimate: Estimate, mark: str = "") -> str:
        """Writes `+0.0120 (+0.0040 to +0.0200)`. `mark`: stands before the interval."""
        if estimate.by_definition:
            return UNCHANGED
        return f"{self.signed(estimate.value)} ({self.interval(estimate, mark)})"

    def size(self, estimate: Estimate) -> str:
        """Writes a number whose direction is in the words around it, such as `0.0120 (95 %: 0.0040 to 0.0200)`."""
        if estimate.low is None or estimate.high is None:
            return f"{self.plain(estimate.value)} (no interval)"
        return f"{self.plain(estimate.value)} (95 %: {self.plain(estimate.low)} to {self.plain(estimate.high)})"

    def interval(self, estimate: Estimate, mark: str = "95 %: ") -> str:
        if estimate.low is None or estimate.high is None:
            return "no interval"
        return f"{mark}{self.signed(estimate.low)} to {self.signed(estimate.high)}"


def ratio(estimate: Estimate) -> str:
    """Writes a speed in multiples of another."""
    if estimate.low is None or estimate.high is None or estimate.by_definition:
        return f"{estimate.value:.3f} x"
    return f"{estimate.value:.3f} x ({estimate.low:.3f} to {estimate.high:.3f})"
