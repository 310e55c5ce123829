"""Writes a log's scores with as many decimals as the log has."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from search.page.numbers import two_digits

MOST = 10  # decimals


class Numbers:
    def __init__(self, scores: Iterable[float], unit: str) -> None:
        written = (f"{Decimal(repr(score)):f}".partition(".")[2].rstrip("0") for score in scores)
        self.decimals = min(MOST, max(map(len, written), default=0))
        self.unit = f" {unit}" if unit else ""

    def score(self, value: float) -> str:
        return f"{value:.{self.decimals}f}{self.unit}"

    def gain(self, value: float) -> str:
        """Writes a gain with its sign; positive is better."""
        return f"{value:+.{self.decimals}f}{self.unit}"

    def noise(self, value: float | None) -> str:
        """Writes a standard deviation to two digits."""
        return "none" if value is None else f"{two_digits(value)}{self.unit}"
