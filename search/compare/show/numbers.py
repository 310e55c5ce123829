"""Numbers in sentences."""

from __future__ import annotations

import math

from search.compare.analyse.results import Estimate, Noise


class Numbers:
    """Scores and gains with as many decimals as the noise floor makes meaningful, and never fewer than four."""

    def __init__(self, noise: Noise) -> None:
        sd = None if noise.control is None or noise.control.sd is None else noise.control.sd.sd
        self.decimals = 4 if not sd else max(4, math.ceil(-math.log10(sd)) + 1)

    def plain(self, value: float) -> str:
        return f"{value:.{self.decimals}f}"

    def signed(self, value: float) -> str:
        return f"{value:+.{self.decimals}f}"

    def interval(self, estimate: Estimate) -> str:
        """Such as `+0.0120 (95 % interval +0.0040 to +0.0200)`."""
        if estimate.low is None or estimate.high is None:
            return f"{self.signed(estimate.value)} (too few for an interval)"
        if estimate.by_definition:
            return self.signed(estimate.value)
        return f"{self.signed(estimate.value)} (95 % interval {self.signed(estimate.low)} to {self.signed(estimate.high)})"


def p_value(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def times(multiple: float) -> str:
    """A speed in multiples of another."""
    return f"{multiple:.3f} x"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
