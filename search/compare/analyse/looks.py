"""What p must be below at each look: the allowance for a false claim is shared out among the looks that were planned."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import optimize, stats

from search.compare.analyse.finding import ALPHA, Look
from search.compare.read.tables import ConfirmationPlan

RESERVE = 0.045  # share of the allowance that is kept for looks that nobody planned


@dataclass
class _State:
    """What was confirmed between two changes. `first`, `last`: plans at which it could be looked at. `size`: of the data."""

    known: dict[str, tuple[str, int]]
    first: int
    last: int

    @property
    def size(self) -> int:
        return sum(repeats for _, repeats in self.known.values())


def look_at(plans: Sequence[ConfirmationPlan], groups: Sequence[AbstractSet[str]], repeats: int, fewest: int) -> Look:
    """The look at what these studies' confirmation says. There is one for each plan that has so many repeats of at least
    `fewest` studies of each group (of each strategy, say). A plan that changes nothing of it is no look of its own, but lets
    as much of the allowance be spent.

    Planned looks share ALPHA, but for a small reserve, by O'Brien and Fleming's spending function (Lan and DeMets 1983).
    Looks that nobody planned are paid out of the reserve: half of it for the first, a quarter for the second, and so on.
    """
    planned = plans[0].looks if plans else 1
    states = _states(plans, groups, repeats, fewest)
    if not states:
        return Look(0, planned, 0.0)
    before = states[0].first - 1  # plans that nothing of it could be looked at
    late = sum(state.first - before > planned for state in states)
    number = states[-1].first - before
    if late:
        return Look(number, planned, ALPHA * RESERVE / 2**late)
    shares = tuple(min(1.0, (state.last - before) / planned) for state in states)
    levels = planned_levels(tuple(state.size for state in states), shares, ALPHA * (1 - RESERVE))
    return Look(number, planned, levels[-1])


def level(look: int, planned: int) -> float:
    """What p must be below at the `look`-th of so many planned looks, each of which adds as much as the first."""
    sizes = tuple(range(1, look + 1))
    return planned_levels(sizes, tuple(size / planned for size in sizes), ALPHA * (1 - RESERVE))[-1]


@cache
def planned_levels(sizes: tuple[float, ...], shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """What p must be below at looks at so much data, if these shares of the plan are over by then: one after the other, so
    that the chance of having passed any bound by then is what is spent by then. Scores of looks are jointly normal, and
    correlate by the square root of the ratio of their sizes."""
    bounds: list[float] = []
    for place, share in enumerate(shares):
        correlation = np.sqrt(np.minimum.outer(sizes[: place + 1], sizes[: place + 1]))
        correlation = correlation / np.sqrt(np.maximum.outer(sizes[: place + 1], sizes[: place + 1]))
        bounds.append(_bound(bounds, correlation, spent(share, alpha)))
    return tuple(float(stats.norm.sf(bound)) for bound in bounds)


def spent(share: float, alpha: float) -> float:
    """The allowance that is spent after that share of the plan."""
    return float(2 * stats.norm.sf(stats.norm.isf(alpha / 2) / np.sqrt(share)))


def _states(
    plans: Sequence[ConfirmationPlan], groups: Sequence[AbstractSet[str]], repeats: int, fewest: int
) -> list[_State]:
    known: dict[str, tuple[str, int]] = {}
    states: list[_State] = []
    for number, plan in enumerate(plans, 1):
        for identity in set().union(*groups) & plan.studies.keys():
            known[identity] = (plan.studies[identity].winner.name, plan.repeats)
        if plan.repeats < repeats or any(len(group & known.keys()) < fewest for group in groups):
            continue
        if states and states[-1].known == known:
            states[-1].last = number
        else:
            states.append(_State(dict(known), number, number))
    return states


def _bound(before: Sequence[float], correlation: np.ndarray, allowed: float) -> float:
    """The next bound, such that the chance of passing one of all, though there is nothing, is what is allowed."""
    if not before:
        return float(stats.norm.isf(allowed))
    scores = stats.multivariate_normal(cov=correlation, allow_singular=True, seed=0)  # its cdf draws

    def too_often(bound: float) -> float:
        return 1 - float(scores.cdf(np.array([*before, bound]))) - allowed

    return float(optimize.brentq(too_often, 0.5, 12, xtol=1e-4))
