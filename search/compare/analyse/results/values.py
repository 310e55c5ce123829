"""What all results are made of."""

from __future__ import annotations

from dataclasses import dataclass

ALPHA = 0.05  # chance of a false claim that every test allows
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and interval, which are None where there are too few repeats to tell.

    `by_definition`: it is not estimated (tuning is exactly 0 where no constant was changed).
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    by_definition: bool = False


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its chi-square interval. `degrees`: of freedom."""

    sd: float
    low: float
    high: float
    degrees: int


@dataclass(frozen=True)
class Missing:
    """What is not there yet, in words, and the command that adds it."""

    what: str
    command: str
