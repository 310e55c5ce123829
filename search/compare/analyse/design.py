"""Which studies, trials and repeats a number of hours should buy, and what a difference costs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import optimize, stats

from search.compare.analyse import minima
from search.compare.analyse.blocks import Floats
from search.compare.analyse.effects import Parted
from search.compare.analyse.looks import level

POWER = 0.8
CONTROL = 12  # trials
STOCK_RUNS = 3  # in each block
EXACT = 5  # studies of each strategy up to which a permutation test's power is simulated; a t test's is near it beyond
DRAWS = 500  # a power is known to about 0.018
QUADRATURE = (1 / 6, 1 / 2, 5 / 6)  # of the distribution of a standard deviation that is itself an estimate
MOST_STUDIES = 12
FEWEST_TRIALS = 10  # of a study that is planned shorter than asked for
REPEATS = (*range(minima.PROGRAM_REPEATS, 13), 15, 20, 25, 30, 40, 60)  # that are tried, for programs
STUDY_REPEATS = (minima.STUDY_REPEATS, 6)  # and for strategies


@dataclass(frozen=True)
class Assumptions:
    """What is planned with. `sd`: of two training runs of one program; `paired`: the share of its variance that programs
    have in common in a block; `again`: of two with the same training seed, which the stock's runs in a block average.
    `between`: of studies' true gains, one for each of the two strategies. `known`: degrees of
    freedom that `sd` is known to; infinite where it is given. `minutes`: from one trial's start to the next. `arms`:
    programs in a block beside the stock."""

    sd: float
    paired: float
    between: tuple[float, float]
    known: float
    minutes: float
    trials: int
    again: float = 0.0
    devices: int = 1
    arms: int = 3
    power: float = POWER

    @property
    def run(self) -> float:
        """Variance of a run within its block."""
        return self.sd**2 * (1 - self.paired)


@dataclass(frozen=True)
class Design:
    """`question`: what it answers. `studies`: of the first and of the second strategy, 0 where none is needed, of so many
    `trials`. `difference`: the smallest that it shows with the power asked for."""

    question: str
    studies: tuple[int, int]
    trials: int
    repeats: int
    difference: float
    hours: float


GAIN = "is one study's winner better than the stock"
PROGRAMS = "is one study's winner better than another's"
STRATEGIES = "is one strategy better than another"


def designs_of(plan: Assumptions, questions: Sequence[str] = (GAIN, PROGRAMS, STRATEGIES)) -> list[Design]:
    """All that keep the minima, with the smallest difference that each shows."""
    found = []
    for question, studies, repeats in (size for size in _sizes() if size[0] in questions):
        design = Design(question, studies, plan.trials, repeats, math.inf, _hours(studies, plan.trials, repeats, plan))
        found.append(replace(design, difference=_smallest(design, plan)))
    return found


def best_within(hours: float, designs: Sequence[Design], plan: Assumptions) -> list[Design]:
    """For each question, the design that shows the smallest difference in so many hours; where it needs more, the longest
    studies that the fewest of them leave room for."""
    found = []
    for mine in _by_question(designs):
        affordable = [design for design in mine if design.hours <= hours]
        fewest = min(mine, key=lambda design: (sum(design.studies), design.repeats))
        best = min(affordable, key=lambda design: (design.difference, design.hours), default=_shorter(fewest, hours, plan))
        found += [best] if best is not None else []
    return found


def cheapest(difference: float, designs: Sequence[Design]) -> list[Design]:
    """For each question, the design that shows such a difference in the fewest hours; none where none does."""
    enough = [design for design in designs if design.difference <= difference]
    return [min(mine, key=lambda design: design.hours) for mine in _by_question(enough)]


def power_of(design: Design, difference: float, plan: Assumptions) -> float:
    """The chance that the design shows a true difference of that size, on average over what the noise may be."""
    return float(np.mean([_power(design, difference, one) for one in _as_it_may_be(plan)]))


def permutation_power(
    difference: float, sds: tuple[float, float], common: float, studies: tuple[int, int], alpha: float
) -> float:
    """Chance that the permutation test over studies shows it, for normal effects of these standard deviations, and one that
    studies of one search seed have in common (the stock's noise in their blocks). Simulated with a fixed seed for few
    studies; Welch's test for many."""
    if max(studies) > EXACT:
        parts = [(sd**2 + common**2) / count for sd, count in zip(sds, studies, strict=True)]
        below = sum(part**2 / (count - 1) for part, count in zip(parts, studies, strict=True))
        return t_power(difference / math.sqrt(sum(parts)), sum(parts) ** 2 / below, alpha)
    first, second, seeds = _normal(studies)
    mine = difference + sds[0] * first + common * seeds[:, : studies[0]]
    others = sds[1] * second + common * seeds[:, : studies[1]]
    return float(np.mean(Parted(mine, others).share_ahead() < alpha))


def t_power(errors: float, degrees: float, alpha: float) -> float:
    """Chance that a one-sided t test at `alpha` shows what is so many standard errors away."""
    return float(stats.nct.sf(stats.t.isf(alpha, degrees), degrees, errors))


def _by_question(designs: Sequence[Design]) -> list[list[Design]]:
    mine = ([design for design in designs if design.question == question] for question in (GAIN, PROGRAMS, STRATEGIES))
    return [choice for choice in mine if choice]


def _shorter(design: Design, hours: float, plan: Assumptions) -> Design | None:
    """With studies as long as so many hours allow; None where they would be no studies any more."""
    spare = hours - _hours(design.studies, 0, design.repeats, plan)
    trials = math.floor(spare / (_hours(design.studies, 1, design.repeats, plan) - hours + spare))
    if trials < FEWEST_TRIALS:
        return None
    return replace(design, trials=trials, hours=_hours(design.studies, trials, design.repeats, plan))


def _sizes() -> Iterator[tuple[str, tuple[int, int], int]]:
    for question, studies in ((GAIN, (1, 0)), (PROGRAMS, (1, 1))):
        for repeats in REPEATS:
            yield question, studies, repeats
    counts = range(minima.STUDIES, MOST_STUDIES + 1)
    for first, second, repeats in itertools.product(counts, counts, STUDY_REPEATS):
        if abs(first - second) <= 1:
            yield STRATEGIES, (first, second), repeats


def _smallest(design: Design, plan: Assumptions) -> float:
    """The difference at which the power is what is asked for."""
    high = 100 * (plan.sd + max(plan.between))
    if power_of(design, high, plan) < plan.power:
        return math.inf
    return float(optimize.brentq(lambda size: power_of(design, size, plan) - plan.power, 0.0, high, xtol=plan.sd / 20))


def _as_it_may_be(plan: Assumptions) -> list[Assumptions]:
    """The noise is an estimate where it was measured: other values that it may have, each as likely."""
    if not math.isfinite(plan.known):
        return [plan]
    scales = [math.sqrt(plan.known / float(stats.chi2.ppf(share, plan.known))) for share in QUADRATURE]
    return [replace(plan, sd=plan.sd * scale) for scale in scales]


def _power(design: Design, difference: float, plan: Assumptions) -> float:
    alpha, repeats = level(1, 1), design.repeats
    stock = (plan.run - min(plan.again**2, plan.run) * (1 - 1 / STOCK_RUNS)) / repeats  # variance of its mean in a block
    if design.question == STRATEGIES:
        first, second = (math.sqrt(between**2 + plan.run / repeats) for between in plan.between)
        return permutation_power(difference, (first, second), math.sqrt(stock), design.studies, alpha)
    other = stock if design.question == GAIN else plan.run / repeats
    return t_power(difference / math.sqrt(plan.run / repeats + other), repeats - 1, alpha)


def _hours(studies: tuple[int, int], trials: int, repeats: int, plan: Assumptions) -> float:
    """Of the control, the studies with an anchor after every ten trials, and the confirmation."""
    blocks = max(studies) * repeats
    arms = plan.arms if min(studies) else plan.arms - 1
    runs = CONTROL + sum(studies) * trials * 1.1 + blocks * (STOCK_RUNS + arms)
    return runs * plan.minutes / 60 / plan.devices


@cache
def _normal(studies: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(0)
    first, second, seeds = (random.standard_normal((DRAWS, count)) for count in (*studies, max(studies)))
    return first, second, seeds
