"""What would settle a contrast that is open."""

from __future__ import annotations

import math

import numpy as np

from search.compare.analyse import power
from search.compare.analyse.confirmed import Scores
from search.compare.analyse.intervals import Mean
from search.compare.analyse.match import Match
from search.compare.analyse.results import Needed


def needed(match: Match, mean: Mean, scores: Scores, family: int) -> Needed | None:
    """None where there is no spread yet to plan with."""
    repeats = min(scores.of(arm) for arms in match.arms.values() for arm in arms)
    if mean.variance is None or not mean.variance or repeats < 2:
        return None
    variances = _variances(match, mean, scores, repeats)
    difference, studies = abs(mean.value), len(match.arms)
    open_ways = difference > 0  # nothing settles that there is no difference at all
    return Needed(
        studies=power.studies_needed(variances, difference, repeats, family) if open_ways else None,
        repeats=power.repeats_needed(variances, difference, studies, family) if open_ways else None,
        detectable=power.detectable(variances, studies, repeats, family),
        between=math.sqrt(variances.between),
    )


def _variances(match: Match, mean: Mean, scores: Scores, repeats: int) -> power.Variances:
    """Between studies, of the repeats, and of the repeats that studies share."""
    samples = scores.confirmation
    uses = [name for pair in match.pairs for name in pair.weights]
    own = sum(float(np.var(samples[name], ddof=1)) for name in uses if uses.count(name) == 1) / len(match.pairs)
    spread = float(np.var([pair.value(samples) for pair in match.pairs], ddof=1))
    assert mean.variance is not None
    shared = max(0.0, mean.variance - spread / len(match.pairs)) * repeats
    return power.Variances(max(0.0, spread - own / repeats), min(own, spread * repeats), shared)
