"""How much two training runs of the same program differ, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from search.compare.analyse.intervals import estimate, mean_estimate, pooled_spread
from search.compare.analyse.null import null_band
from search.compare.analyse.results import ControlNoise, ControlStudy, Drift, Estimate, Noise, SameSeed
from search.compare.read.tables import Experiment, StudyTable, TrialRow
from search.study.trial import Origin, Status

FEWEST_CONTROL = 8  # scores of the control below which no contrast is stated


def noise_of(experiment: Experiment) -> Noise:
    control = control_noise(experiment.control)
    scores = control_scores(experiment)
    longest = max(len(scores), *(sum(row.score is not None for row in study.trials) for study in experiment.studies))
    remarks = []
    if control is None:
        remarks.append("There is no control with a score: the noise floor and the null band are unknown.")
    elif control.trials < FEWEST_CONTROL:
        remarks.append(f"The control has {control.trials} scores; fewer than {FEWEST_CONTROL} say little of a spread.")
    return Noise(
        control=control,
        same_seed=same_seed(experiment.studies),
        drift=tuple(found for study in experiment.studies if (found := drift(study)) is not None),
        null_band=null_band(scores, longest) if len(scores) > 1 else None,
        remarks=tuple(remarks),
    )


def control_runs(experiment: Experiment) -> list[TrialRow]:
    """The stock under fresh training seeds, all search seeds of the control together, as far as it has a score."""
    return [row for study in experiment.control for row in study.trials if row.status == Status.COMPLETED]


def control_scores(experiment: Experiment) -> list[float]:
    """The scores of `control_runs`."""
    return [_score(row) for row in control_runs(experiment)]


def control_noise(studies: Sequence[StudyTable]) -> ControlNoise | None:
    """None where the control has no score."""
    scores = [score for study in studies for score in _scores(study.trials)]
    if not scores:
        return None
    return ControlNoise(
        trials=len(scores),
        failures=sum(len(study.trials) for study in studies) - len(scores),
        mean=mean_estimate(scores),
        sd=pooled_spread([scores]),
        studies=tuple(_control_study(study) for study in studies),
    )


def same_seed(studies: Sequence[StudyTable]) -> SameSeed:
    """From the stock and its anchors, which share a training seed within a study and between studies of one search seed."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for study in studies:
        for row in stock_runs(study):
            by_seed[row.training_seed].append(_score(row))
    within = [[_score(row) for row in stock_runs(study)] for study in studies]
    return SameSeed(pooled_spread(within), pooled_spread(by_seed.values()))


def drift(study: StudyTable) -> Drift | None:
    """Slope of the stock's score against time; None where it was not trained twice, at different times."""
    runs = stock_runs(study)
    hours = [(row.started - runs[0].started) / 3600 for row in runs]
    if len(runs) < 2 or max(hours) == 0:
        return None
    scores = [_score(row) for row in runs]
    line = stats.linregress(hours, scores)
    if len(runs) == 2:
        slope, p = Estimate(float(line.slope), None, None, None), None
    else:
        slope, p = estimate(line.slope, line.stderr**2, len(runs) - 2), float(line.pvalue)
    return Drift(study.identity, len(runs), max(hours), slope, p)


def stock_runs(study: StudyTable) -> list[TrialRow]:
    """The stock that began a study and its anchors, as far as they have a score: one program, one training seed."""
    rows = [row for row in study.rows if row.origin in (Origin.STOCK, Origin.ANCHOR)]
    return [row for row in rows if row.status == Status.COMPLETED]


def _control_study(study: StudyTable) -> ControlStudy:
    scores = _scores(study.trials)
    mean = float(np.mean(scores)) if scores else None
    return ControlStudy(study.identity, len(scores), mean, float(np.std(scores, ddof=1)) if len(scores) > 1 else None)


def _scores(rows: Iterable[TrialRow]) -> list[float]:
    return [_score(row) for row in rows if row.status == Status.COMPLETED]


def _score(row: TrialRow) -> float:
    assert row.val_bpb is not None  # completed
    return row.val_bpb
