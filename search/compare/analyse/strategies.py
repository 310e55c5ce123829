"""Means over the studies of one strategy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.compare.analyse.confirmed import CONTROL
from search.compare.analyse.gains import Evidence, Parts, claimed_of, parts_of, stock_before
from search.compare.analyse.intervals import Combination, Samples, mean_over_studies
from search.compare.analyse.results import Estimate, StrategyResult, StudyResult
from search.compare.read.tables import StudyTable


def strategy_result(strategy: str, results: Sequence[StudyResult], evidence: Evidence) -> StrategyResult:
    """`results`: of all studies of the experiment."""
    studies = evidence.experiment.of(strategy)
    mine = [result for result in results if result.strategy == strategy]
    parts = [found for study in studies if (found := _parts(study, evidence)) is not None]
    scores = evidence.scores
    validation: Samples = {} if scores is None else scores.validation
    confirmation: Samples = {} if scores is None else scores.confirmation
    overfit: Samples = {} if scores is None else scores.overfit

    def mean(part: Callable[[Parts], Combination], samples: Samples) -> Estimate | None:
        return _mean([part(found) for found in parts], samples)

    return StrategyResult(
        strategy=strategy,
        studies=len(studies),
        confirmed=sum(result.confirmed is not None for result in mine),
        shown=sum(result.confirmed is not None and result.confirmed.shown for result in mine),
        claimed=_claimed(studies, evidence),
        gain=mean(lambda found: found.gain, confirmation),
        gain_on_validation=mean(lambda found: found.gain, validation),
        overfitting=mean(lambda found: found.gain, overfit),
        luck=mean(lambda found: found.luck, validation),
        stock_shift=mean(lambda found: found.stock_shift, validation),
        tuning=mean(lambda found: found.tuning, validation),
        code_and_interaction=mean(lambda found: found.code, validation),
    )


def _parts(study: StudyTable, evidence: Evidence) -> Parts | None:
    planned = None if evidence.table is None else evidence.table.planned(study.identity)
    return None if planned is None else parts_of(study, planned, evidence)


def _claimed(studies: Sequence[StudyTable], evidence: Evidence) -> Estimate | None:
    """The mean claim of all studies, confirmed or not, by their best search score."""
    found = []
    for study in studies:
        stock = stock_before(study, evidence.control)
        if study.winner is not None and stock is not None:
            found.append(claimed_of(study.winner, stock))
    return _mean(found, {CONTROL: evidence.control})


def _mean(parts: Sequence[Combination], samples: Samples) -> Estimate | None:
    return mean_over_studies(parts, samples).estimate if parts else None
