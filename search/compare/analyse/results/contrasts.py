"""Results of the contrasts between strategies."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.results.values import Estimate, Missing


@dataclass(frozen=True)
class Pair:
    """Two studies of one search seed: confirmed scores (means over repeats, confirmation split)."""

    search_seed: int
    first: float
    second: float


@dataclass(frozen=True)
class Needed:
    """What would settle an open contrast, were the true difference the one seen, with power 80 %.

    `studies`, `repeats`: in all, either alone; None where that alone cannot (or beyond 10,000). `detectable`: the smallest
    difference that the present numbers show with that power. `between`: the standard deviation between studies, without
    the noise of repeats, that this is planned with.
    """

    studies: int | None
    repeats: int | None
    detectable: float | None
    between: float


@dataclass(frozen=True)
class Contrast:
    """Is `first` better than `second`? `advantage`: mean of second minus first, positive where the first is better.

    `verdict`: "shown", "reverse shown" (second is better), "not shown" or "not stated" (then `missing` says why and how to
    mend it, and every number may be None). `p`: one-sided; `p_holm`: over the headline family; `p_reverse*`: the same for
    the other direction, which has a family of its own. `method`: "sign-flip permutation", or "t, shared programs" where
    studies ended with one and the same program, whose error they share. `wins`: P(first beats second), with an exact
    interval. `looks`: at how many plans it could have been stated; the verdict asks for p_holm * looks < 0.05.
    """

    first: str
    second: str
    verdict: str
    method: str
    budget: str
    looks: int
    pairs: tuple[Pair, ...]
    advantage: Estimate | None
    p: float | None
    p_holm: float | None
    p_reverse: float | None
    p_reverse_holm: float | None
    wins: Estimate | None
    needed: Needed | None
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...]
