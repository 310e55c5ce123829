"""What each study's winner is worth: its claim, what is left of it in blocks, and what that is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from search.compare.analyse import minima
from search.compare.analyse.finding import Estimate, Finding, Name, Scope, Verdict, stated
from search.compare.analyse.intervals import tested
from search.compare.analyse.quantity import Evidence, Measured

T = "t within blocks"
TESTED = (Name.GAIN, Name.TUNING, Name.CODE, Name.OVERFITTING)


def program_findings(evidence: Evidence, measured: Sequence[Measured]) -> list[Finding]:
    """Of each study by itself. Where several winners of one strategy are tested, p is corrected for their number (Holm)."""
    found = [_finding(one, evidence) for one in measured]
    strategies = {study.identity: study.strategy for study in evidence.experiment.studies}
    return corrected(found, lambda finding: (strategies[finding.subject], finding.name, finding.at is None), "winners")


def corrected(findings: Sequence[Finding], family: Callable[[Finding], Hashable], of: str) -> list[Finding]:
    """With p after Holm's correction over each family that is stated, and the verdict that follows. `of`: what a family's
    members are, in words."""
    result = list(findings)
    places: dict[Hashable, list[int]] = {}
    for place, finding in enumerate(result):
        if finding.p is not None and finding.verdict is not Verdict.NOT_STATED:
            places.setdefault(family(finding), []).append(place)
    for mine in (mine for mine in places.values() if len(mine) > 1):
        remark = f"p corrected for {len(mine)} {of} (Holm)"
        forward, backward = (holm([getattr(result[place], side) for place in mine]) for side in ("p", "p_reverse"))
        for place, p, p_reverse in zip(mine, forward, backward, strict=True):
            result[place] = stated(replace(result[place], remarks=(*result[place].remarks, remark)), p, p_reverse)
    return result


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's correction (1979), in the order given. A p that is not known stays so, and counts as one."""
    known = np.array([1.0 if p is None else p for p in p_values])
    order = np.argsort(known)
    found = np.empty(len(known))
    found[order] = np.minimum(np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1)), 1.0)
    return [None if p is None else float(corrected) for p, corrected in zip(p_values, found, strict=True)]


def _finding(measured: Measured, evidence: Evidence) -> Finding:
    quantity, estimate = measured.quantity, measured.estimate
    finding = Finding(
        scope=Scope.PROGRAM,
        name=quantity.name,
        subject=quantity.study.identity,
        at=quantity.at,
        estimate=_ratio(estimate) if quantity.name is Name.SPEED else estimate,
        studies=1,
        repeats=measured.blocks,
        remarks=failures_in_words(measured),
    )
    if quantity.name not in TESTED or estimate.by_definition:
        return finding
    same = measured.variance is not None and not measured.variance.value
    remarks = ["its repeats do not differ: there is no noise to test against"] if same else []
    missing = (
        *minima.control(evidence.experiment, evidence.noise.trials),
        *minima.repeats(evidence.experiment, [quantity.study], measured.blocks, minima.PROGRAM_REPEATS),
    )
    look = evidence.look([[quantity.study]], minima.PROGRAM_REPEATS, 1)
    finding = replace(finding, look=look, method=T, missing=missing, remarks=(*finding.remarks, *remarks))
    if measured.failures:
        return stated(finding, 1.0)  # it counts among the winners that p is corrected for, and has no chance
    return stated(finding, *tested(measured.value, measured.variance))


def failures_in_words(measured: Measured) -> tuple[str, ...]:
    if not measured.failures:
        return ()
    return (f"it failed in {measured.failures} of {measured.blocks} repeats in which the stock trained well",)


def _ratio(estimate: Estimate) -> Estimate:
    low, high = (None if end is None else math.exp(end) for end in (estimate.low, estimate.high))
    return Estimate(math.exp(estimate.value), estimate.error, low, high, estimate.by_definition)
