"""The contrasts between strategies: who is better on fresh seeds and unseen text, at equal budget."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from search.compare.analyse import minima
from search.compare.analyse.confirmed import Scores, looks_at
from search.compare.analyse.gains import Evidence, missing_repeats
from search.compare.analyse.intervals import Combination, Mean, mean_over_studies, p_above_zero
from search.compare.analyse.match import Match, match_of
from search.compare.analyse.results import ALPHA, CONFIDENCE, Contrast, Estimate, Missing, Pair
from search.compare.analyse.settle import needed

SIGN_FLIP = "sign-flip permutation"
SHARED = "t, shared programs"
RESAMPLES = 2**13  # up to 13 pairs every pattern of signs is counted; beyond, so many are drawn


def headline(evidence: Evidence) -> tuple[Contrast, ...]:
    """All pairs of strategies, agents against Optuna first. Holm's correction is over all of them, whether they can be
    stated already or not; each direction is a family of its own."""
    experiment = evidence.experiment
    pairs = list(itertools.combinations(experiment.strategies, 2))
    roles = {label: experiment.role_of(label) for label in experiment.strategies}
    pairs.sort(key=lambda pair: (roles[pair[0]], roles[pair[1]]) != ("agent", "baseline"))  # a stable sort
    contrasts = [contrast(first, second, evidence, len(pairs)) for first, second in pairs]
    return tuple(_corrected(contrasts))


def contrast(first: str, second: str, evidence: Evidence, family: int) -> Contrast:
    """Uncorrected, and with the verdict open where it can be stated."""
    match = match_of(first, second, evidence)
    missing = _missing(match, evidence, family)
    scores = evidence.scores
    stated = not missing
    if scores is None or not match.arms:
        return _unstated(match, missing)
    samples = scores.confirmation
    mean = mean_over_studies(match.pairs, samples)
    p, p_reverse = _p_values(match.pairs, mean, samples) if stated else (None, None)
    return Contrast(
        first=first,
        second=second,
        verdict="not shown" if stated else "not stated",
        method=SHARED if mean.shared else SIGN_FLIP,
        budget=match.budget.words,
        looks=_looks(match, evidence, family),
        pairs=tuple(_pair(seed, arms, scores) for seed, arms in match.arms.items()),
        advantage=mean.estimate,
        p=p,
        p_holm=None,
        p_reverse=p_reverse,
        p_reverse_holm=None,
        wins=_wins(match.pairs, scores),
        needed=needed(match, mean, scores, family),
        missing=missing,
        remarks=_remarks(match, mean),
    )


def _p_values(
    pairs: Sequence[Combination], mean: Mean, samples: dict[str, list[float]]
) -> tuple[float | None, float | None]:
    """One-sided: that the first is no better, and that the second is no better."""
    values = np.array([pair.value(samples) for pair in pairs])
    if mean.shared:
        if mean.variance is None or mean.degrees is None:
            return None, None
        return (
            p_above_zero(mean.value, mean.variance, mean.degrees),
            p_above_zero(-mean.value, mean.variance, mean.degrees),
        )
    return sign_flip(values, "greater"), sign_flip(values, "less")


def sign_flip(differences: Sequence[float] | np.ndarray, alternative: str) -> float:
    """p of the hypothesis that differences are symmetric about 0."""
    found = stats.permutation_test(
        (np.asarray(differences),),
        np.mean,
        permutation_type="samples",
        alternative=alternative,
        n_resamples=RESAMPLES,
        rng=0,
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected over all of them; what has no p counts as 1, and keeps none."""
    if not p_values:
        return []
    corrected = multipletests([1.0 if p is None else p for p in p_values], method="holm")[1]
    return [None if p is None else float(found) for p, found in zip(p_values, corrected, strict=True)]


def _corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    forward, reverse = holm([c.p for c in contrasts]), holm([c.p_reverse for c in contrasts])
    return [
        replace(c, p_holm=ours, p_reverse_holm=theirs, verdict=_verdict(c, ours, theirs))
        for c, ours, theirs in zip(contrasts, forward, reverse, strict=True)
    ]


def _verdict(contrast: Contrast, p: float | None, reverse: float | None) -> str:
    if p is not None and p * contrast.looks < ALPHA:
        return "shown"
    if reverse is not None and reverse * contrast.looks < ALPHA:
        return "reverse shown"
    return contrast.verdict


def _wins(pairs: Sequence[Combination], scores: Scores) -> Estimate:
    """P(first beats second): share of pairs, a tie counting half, with the exact (Clopper-Pearson) interval of the wins."""
    values = [pair.value(scores.confirmation) for pair in pairs]
    won, tied = sum(value > 0 for value in values), sum(value == 0 for value in values)
    interval = [stats.binomtest(k, len(values)).proportion_ci(CONFIDENCE) for k in (won, won + tied)]
    return Estimate((won + tied / 2) / len(values), None, float(interval[0].low), float(interval[1].high))


def _looks(match: Match, evidence: Evidence, family: int) -> int:
    """How many plans let this contrast be stated."""
    assert evidence.table is not None
    fewest = minima.fewest_studies(family) * (1 if match.against_control else 2)
    return looks_at(evidence.table, match.identities, fewest)


def _missing(match: Match, evidence: Evidence, family: int) -> tuple[Missing, ...]:
    experiment = evidence.experiment
    found = [*minima.control(experiment, len(evidence.control)), *match.budget.missing]
    found += minima.studies(experiment, match.first, match.second, family)
    if evidence.table is None or match.unconfirmed:
        found.append(minima.confirmation(experiment, match.unconfirmed))
    elif match.arms:
        found += missing_repeats({arm for pair in match.arms.values() for arm in pair}, evidence)
    return tuple(found)


def _remarks(match: Match, mean: Mean) -> tuple[str, ...]:
    remarks = []
    if mean.shared and not match.against_control:
        remarks.append("Several studies ended with the same program, so their scores share its error; it is counted once.")
    if match.alone:
        seeds = ", ".join(str(seed) for seed in match.alone)
        remarks.append(f"Search seeds that only one of the two has are left out: {seeds}.")
    return tuple(remarks)


def _pair(seed: int, arms: tuple[str, str], scores: Scores) -> Pair:
    first, second = (float(np.mean(scores.confirmation[arm])) for arm in arms)
    return Pair(seed, first, second)


def _unstated(match: Match, missing: tuple[Missing, ...]) -> Contrast:
    """Nothing of it is confirmed."""
    return Contrast(
        first=match.first,
        second=match.second,
        verdict="not stated",
        method=SIGN_FLIP,
        budget=match.budget.words,
        looks=1,
        pairs=(),
        **dict.fromkeys(("advantage", "p", "p_holm", "p_reverse", "p_reverse_holm", "wins", "needed")),
        missing=missing,
        remarks=(),
    )
