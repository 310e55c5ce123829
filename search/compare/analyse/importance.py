"""Which constants set a tuner's good trials apart, by PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from search.compare.read.tables import StudyTable
from search.study.trial import Status

BEST = 0.2  # of the trials, that are held against all
FEWEST = 25  # scores: Optuna advises at least five trials among the best


def importance(study: StudyTable) -> dict[str, float]:
    """Share of each constant of the study's space, the largest first. Empty where it has none, and below FEWEST scores."""
    space: Mapping[str, Mapping[str, Any]] = study.header["config"]["strategy"].get("space") or {}
    rows = [row for row in study.trials if row.status == Status.COMPLETED]
    stock = {name: value for row in rows for name, value in row.constants_before.items()}
    distributions = {name: _distribution(dimension) for name, dimension in space.items() if name in stock}  # were changed
    if len(rows) < FEWEST or not distributions:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = optuna.create_study()
    for row in rows:
        values = {name: {**stock, **row.constants}[name] for name in distributions}
        trials.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, value=row.val_bpb))
    return get_param_importances(trials, evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST))


def _distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    if dimension["kind"] == "choice":
        return CategoricalDistribution(dimension["values"])
    log = dimension.get("log", False) or dimension["kind"] == "power_of_two"
    return FloatDistribution(dimension["low"], dimension["high"], log=log)
