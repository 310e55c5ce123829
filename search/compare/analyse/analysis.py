"""The whole comparison: from an experiment's tables to everything that a report says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from search.compare.analyse.cautions import cautions_of
from search.compare.analyse.confirmed import confirmation_of
from search.compare.analyse.curves import medians, study_curve
from search.compare.analyse.gains import evidence_of, study_result
from search.compare.analyse.headline import headline
from search.compare.analyse.noise import noise_of
from search.compare.analyse.reliability import reliability_of
from search.compare.analyse.results import Analysis, Contrast, Missing
from search.compare.analyse.speed import speed_of
from search.compare.analyse.strategies import strategy_result
from search.compare.read.tables import Experiment
from search.compare.show.verdict import verdict_of

SCHEMA = 1  # of report.json


def analyse(experiment: Experiment) -> Analysis:
    """Pure: the same tables give the same analysis."""
    noise, speed = noise_of(experiment), speed_of(experiment)
    evidence = evidence_of(experiment, noise.null_band)
    studies = tuple(study_result(study, evidence) for study in experiment.studies)
    strategies = tuple(strategy_result(label, studies, evidence) for label in experiment.strategies)
    contrasts = headline(evidence)
    confirmation = None if experiment.confirmation is None else confirmation_of(experiment.confirmation)
    curves = tuple(study_curve(study) for study in experiment.studies)
    return Analysis(
        schema=SCHEMA,
        experiment=experiment.name,
        task=experiment.task,
        task_facts=experiment.task_facts,
        task_fingerprint=experiment.task_fingerprint,
        noise=noise,
        speed=speed,
        confirmation=confirmation,
        studies=studies,
        strategies=strategies,
        headline=contrasts,
        reliability=tuple(reliability_of(experiment, label) for label in experiment.strategies),
        curves=curves,
        medians=medians(curves),
        missing=_missing(contrasts),
        cautions=cautions_of(experiment, noise, speed, confirmation, studies),
        verdict=verdict_of(experiment, noise, speed, strategies, contrasts),
    )


def to_json(analysis: Analysis) -> dict[str, Any]:
    """What report.json holds. Tuples become lists when it is written."""
    return asdict(analysis)


def _missing(contrasts: tuple[Contrast, ...]) -> tuple[Missing, ...]:
    """The notes of all contrasts, each once."""
    return tuple(dict.fromkeys(missing for contrast in contrasts for missing in contrast.missing))
