"""What a strategy finds in a typical study: means over its studies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from search.compare.analyse import minima
from search.compare.analyse.finding import Estimate, Finding, Name, Scope, stated
from search.compare.analyse.intervals import Variance, estimated, tested, variance_of
from search.compare.analyse.programs import TESTED
from search.compare.analyse.quantity import Evidence, Measured

T = "t over studies"


def strategy_findings(evidence: Evidence, measured: Sequence[Measured]) -> Iterator[Finding]:
    """For each strategy and quantity, the mean over its studies. The control's are left out but for its claim."""
    for strategy in evidence.experiment.strategies:
        mine = [one for one in measured if one.quantity.study.strategy == strategy]
        control = evidence.experiment.role_of(strategy) == "control"
        for name, at in sorted({(one.quantity.name, one.quantity.at or 0) for one in mine}):
            if control and name is not Name.CLAIMED:
                continue
            same = [one for one in mine if (one.quantity.name, one.quantity.at or 0) == (name, at)]
            yield _finding(strategy, _of_the_confirmed(name, same, evidence), evidence)


def mean_over_studies(measured: Sequence[Measured]) -> tuple[float, Variance | None]:
    """The mean of one value per study, and its variance, from the spread between studies, in which the noise of each is.
    What they share (the control, where claims are measured against it) is added, since no spread can show it."""
    values = [one.value for one in measured]
    spread = variance_of(values)
    if spread is None:
        return float(np.mean(values)), None
    shared = [0.0 if one.quantity.reference is None else one.quantity.reference.shared for one in measured]
    common = float(np.mean(shared))
    variance = spread.over(len(values))
    known = [one.quantity.reference.variance for one in measured if one.quantity.reference is not None]
    if common > 0 and known[0] is not None:
        variance = variance + Variance(common, known[0].degrees)
    return float(np.mean(values)), variance


def _of_the_confirmed(name: Name, measured: Sequence[Measured], evidence: Evidence) -> list[Measured]:
    """Claims of the studies that are confirmed, so that what a claim is made of adds up; of all, where none is."""
    confirmed = [one for one in measured if one.quantity.study.identity in evidence.planned]
    return confirmed if name is Name.CLAIMED and confirmed else list(measured)


def _finding(strategy: str, measured: Sequence[Measured], evidence: Evidence) -> Finding:
    quantity = measured[0].quantity
    value, variance = mean_over_studies(measured)
    finding = Finding(
        scope=Scope.STRATEGY,
        name=quantity.name,
        subject=strategy,
        at=quantity.at,
        estimate=_estimate(measured, value, variance),
        studies=len(measured),
        repeats=min((one.blocks for one in measured if one.quantity.weights), default=minima.STUDY_REPEATS),
    )
    if all(one.estimate.by_definition for one in measured):
        return replace(finding, estimate=Estimate(value, 0.0, value, value, by_definition=True))
    if quantity.name not in TESTED:
        return finding
    studies = evidence.experiment.of(strategy)
    failures = sum(one.failures > 0 for one in measured)
    missing = (
        *minima.control(evidence.experiment, evidence.noise.trials),
        *minima.studies(evidence.experiment, strategy),
        *minima.independence(studies),
        *minima.repeats(evidence.experiment, studies, finding.repeats, minima.STUDY_REPEATS),
    )
    remarks = (f"{failures} of its winners failed where the stock trained well",) if failures else ()
    look = evidence.look([studies], minima.STUDY_REPEATS, minima.STUDIES)
    finding = replace(finding, look=look, method=T, missing=missing, remarks=remarks)
    p, p_reverse = tested(value, variance)
    if failures and quantity.name is Name.CODE:  # what fails with its constants alone has no part that code is shown by
        p = None
    return stated(finding, p, p_reverse)


def _estimate(measured: Sequence[Measured], value: float, variance: Variance | None) -> Estimate:
    """Of a mean; one study's own, where there is no other."""
    if measured[0].quantity.name is Name.SPEED:
        return Estimate(math.exp(value))
    if len(measured) == 1:
        return measured[0].estimate
    return estimated(value, variance)
