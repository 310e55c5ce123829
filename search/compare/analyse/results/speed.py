"""Results about the speed of the machine and of the winners."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.results.values import Estimate

FRESH_SEEDS, SAME_SEED = "fresh seeds", "same seed"  # what a slope was measured on


@dataclass(frozen=True)
class TokensSeen:
    """How the stock's score goes with the number of tokens that a training saw.

    `repeats`: FRESH_SEEDS (the control) or SAME_SEED (the stock and its anchors). `groups`: of runs that are held against
    their own mean; there is one of fresh seeds, and one for each repeated seed. `slope`: bits per byte by which the score
    gets worse with 1 % fewer tokens. `r_squared`: share of the variance that tokens explain, adjusted for the degrees of
    freedom: 0 on average where there is no relation, and then as often below. `sd_left`: the standard deviation that they do
    not explain. `least`, `most`: multiples of a group's geometric mean between which it was measured. `shown`: whether the
    interval excludes that fewer tokens cost nothing.
    """

    repeats: str
    groups: int
    trials: int
    slope: Estimate
    r_squared: float
    sd_left: float
    least: float
    most: float

    @property
    def shown(self) -> bool:
        return self.slope.low is not None and self.slope.low > 0


@dataclass(frozen=True)
class SpeedEffect:
    """What a difference of speed is worth by the slope, in bits per byte. The interval is the slope's; the speeds are known.
    `extrapolated`: the difference is larger than those that the slope was measured on."""

    estimate: Estimate
    extrapolated: bool


@dataclass(frozen=True)
class StockSpeed:
    """How fast the stock was trained, in multiples of the control's geometric mean of tokens per second.

    `mean` is geometric too. `effect`: by how much that makes the stock's score worse than in the control; None where the
    slope is not known.
    """

    runs: int
    mean: float
    slowest: float
    fastest: float
    effect: SpeedEffect | None


@dataclass(frozen=True)
class WinnerSpeed:
    """A winner's tokens per second in multiples of the stock's. It is merit, not machine, as far as the count is right: a
    program's own process counts its tokens, and nothing checks that.

    `source`: "confirmation" (geometric mean over the repeats that both have, each pair with one seed and soon after each
    other) or "definition" (the winner is the stock). A study tells none: it chose its winner by a score, and so for a quick
    minute too (1.007 on average for the best of 20 where no program is faster; simulated as in .github/docs/report.md).
    `low`, `high`: 95 %, from two repeats on.
    """

    value: float
    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True)
class StudySpeed:
    """The speed of one study's stock. `stock`: None without a control, or without a run of the stock whose speed is known.
    `of_shift`: how much of the stock's shift the machine's speed explains; None where it is unconfirmed, or no slope known.
    `winner`: None where it is unconfirmed, or its speed unknown."""

    study: str
    strategy: str
    stock: StockSpeed | None
    of_shift: SpeedEffect | None
    winner: WinnerSpeed | None


@dataclass(frozen=True)
class WinnersSpeed:
    """Geometric mean over the winners of one strategy whose speed has this `source`: those that the confirmation measured
    or, where there are none, those that are the stock. `studies`: how many they are."""

    value: float
    studies: int
    source: str


@dataclass(frozen=True)
class Speed:
    """None of it changes a score or a claim. `tokens`: the first is the one that effects are computed from. `control`:
    geometric mean of its tokens per second. `confirmation`: of its stock. `winners`: by strategy, as far as known."""

    tokens: tuple[TokensSeen, ...]
    control: float | None
    confirmation: StockSpeed | None
    studies: tuple[StudySpeed, ...]
    winners: dict[str, WinnersSpeed]
