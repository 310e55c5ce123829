"""How much two trainings of the same program differ, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from search.compare.intervals import estimate, mean_estimate, pooled_spread
from search.compare.null import null_band
from search.compare.results import ControlNoise, ControlStudy, Drift, Estimate, Noise, SameSeed, TokensSeen
from search.compare.tables import REPORT, Experiment, StudyTable, TrialRow
from search.trial import Origin, Status

FEWEST_CONTROL = 8  # scores of the control below which no contrast is stated
LEFT_TO_EXPLAIN = 3  # degrees of freedom that a regression on tokens must leave


def noise_of(experiment: Experiment) -> Noise:
    control = control_noise(experiment.control)
    scores = control_scores(experiment)
    longest = max(len(scores), *(sum(row.score is not None for row in study.trials) for study in experiment.studies))
    remarks = []
    if control is None:
        remarks.append("There is no control with a score: the noise floor and the null band are unknown.")
    elif control.trials < FEWEST_CONTROL:
        remarks.append(f"The control has {control.trials} scores; fewer than {FEWEST_CONTROL} say little of a spread.")
    tokens = tuple(seen for seen in (_fresh_seeds(experiment), _same_seed_tokens(experiment)) if seen is not None)
    if not tokens:
        remarks.append("Whether tokens seen explain the noise cannot be told: too few repeats, or all saw equally many.")
    return Noise(
        control=control,
        same_seed=same_seed(experiment.studies),
        drift=tuple(found for study in experiment.studies if (found := drift(study)) is not None),
        tokens=tokens,
        null_band=null_band(scores, longest) if len(scores) > 1 else None,
        remarks=tuple(remarks),
    )


def control_scores(experiment: Experiment) -> list[float]:
    """Of the stock under fresh training seeds, all search seeds of the control together."""
    return [score for study in experiment.control for score in _scores(study.trials)]


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


def tokens_seen(repeats: str, candidates: Iterable[Sequence[TrialRow]]) -> TokensSeen | None:
    """Regression of scores on tokens, both as deviations from their candidate's mean. None where all repeats of a candidate
    saw equally many tokens, or where there are too few."""
    groups = [group for group in candidates if len(group) > 1]
    degrees = sum(len(group) - 1 for group in groups) - 1
    if degrees < LEFT_TO_EXPLAIN:
        return None
    counts = [np.array([row.tokens for row in group], dtype=float) for group in groups]
    scores = [np.array([_score(row) for row in group]) for group in groups]
    percent = np.concatenate([100 * (count / count.mean() - 1) for count in counts])
    deviations = np.concatenate([score - score.mean() for score in scores])
    explaining, total = float(percent @ percent), float(deviations @ deviations)
    if explaining == 0 or total == 0:
        return None
    slope = float(percent @ deviations) / explaining
    left = float(np.sum((deviations - slope * percent) ** 2))
    return TokensSeen(repeats, len(groups), len(percent), 1 - left / total, slope, float(np.sqrt(left / degrees)))


def _fresh_seeds(experiment: Experiment) -> TokensSeen | None:
    control = [row for study in experiment.control for row in study.trials if row.status == Status.COMPLETED]
    arms: dict[str, list[TrialRow]] = defaultdict(list)
    if experiment.confirmation is not None:
        for row in experiment.confirmation.rows:
            if row.stage == REPORT and row.status == Status.COMPLETED and row.arm is not None:
                arms[row.arm].append(row)
    return tokens_seen("fresh seeds", [control, *arms.values()])


def _same_seed_tokens(experiment: Experiment) -> TokensSeen | None:
    return tokens_seen("same seed", [stock_runs(study) for study in experiment.studies])


def _control_study(study: StudyTable) -> ControlStudy:
    scores = _scores(study.trials)
    mean = float(np.mean(scores)) if scores else None
    return ControlStudy(study.identity, len(scores), mean, float(np.std(scores, ddof=1)) if len(scores) > 1 else None)


def _scores(rows: Iterable[TrialRow]) -> list[float]:
    return [_score(row) for row in rows if row.status == Status.COMPLETED]


def _score(row: TrialRow) -> float:
    assert row.val_bpb is not None  # completed
    return row.val_bpb
