"""What each kept edit is worth to its study's winner: the winner's gain minus its gain without that edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from search.compare.analyse import minima, remedies
from search.compare.analyse.blocks import Score
from search.compare.analyse.finding import Finding, Missing, Name, Scope, stated
from search.compare.analyse.intervals import tested
from search.compare.analyse.programs import T, corrected
from search.compare.analyse.quantity import Evidence, Measured, Quantity, beside, difference, measure
from search.compare.read.tables import STOCK, Planned, Step, StudyTable

APART = "steps can depend on each other: what they are worth need not add up to the gain"


def step_findings(evidence: Evidence) -> list[Finding]:
    """Of each step of each winner that the confirmation was to leave out. Within a winner, p is corrected for the number
    of its steps (Holm)."""
    found = [
        finding
        for study in evidence.experiment.studies
        if (planned := evidence.planned.get(study.identity)) is not None
        for finding in _of(study, planned, evidence)
    ]
    return corrected(found, lambda finding: finding.subject, "steps")


def _of(study: StudyTable, planned: Planned, evidence: Evidence) -> Iterator[Finding]:
    measured = {step.arm: _measured(study, planned, step.arm, evidence) for step in planned.steps if step.arm is not None}
    alike = [one for one in measured.values() if one is not None]  # each is the winner against nearly itself
    for step in planned.steps:
        finding = Finding(Scope.STEP, Name.STEP, study.identity, step.arm, step=step.trial, studies=1, remarks=(APART,))
        if step.arm is None:
            missing = Missing(f"{study.identity} without the step of trial {step.trial}, which {step.why}", None)
            yield stated(replace(finding, missing=(missing,)), None)
        else:
            one = measured[step.arm]
            yield _tested(finding, None if one is None else beside(one, alike), planned, step, evidence)


def _measured(study: StudyTable, planned: Planned, without: str, evidence: Evidence) -> Measured | None:
    weights = difference({planned.winner.name: 1.0}, {} if without == STOCK else {without: 1.0})
    return measure(Quantity(Name.STEP, study, weights, Score.UNSEEN), evidence.blocks)


def _tested(finding: Finding, measured: Measured | None, planned: Planned, step: Step, evidence: Evidence) -> Finding:
    have = 0 if measured is None else measured.blocks
    finding = replace(finding, repeats=have, method=T, missing=_missing(planned, step, have, evidence))
    if measured is None:
        return stated(finding, None)
    look = evidence.look([[measured.quantity.study]], minima.PROGRAM_REPEATS, 1)
    finding = replace(finding, estimate=measured.estimate, look=look)
    if measured.failures:  # the program does not work without the step, or the winner fails itself
        words = f"it, or the winner, failed in {measured.failures} of {have} repeats in which the stock trained well"
        return stated(replace(finding, remarks=(*finding.remarks, words)), 1.0)
    return stated(finding, *tested(measured.value, measured.variance))


def _missing(planned: Planned, step: Step, have: int, evidence: Evidence) -> tuple[Missing, ...]:
    """What every claim asks for, and blocks of the winner with and without the step."""
    table = evidence.experiment.confirmation
    assert step.arm is not None
    control = tuple(minima.control(evidence.experiment, evidence.noise.trials))
    if minima.unfinished(table, planned, [step.arm]) or have < minima.PROGRAM_REPEATS:
        wanted = max(minima.PROGRAM_REPEATS, table.repeats)
        return (*control, Missing("repeats of winners without their steps", remedies.confirm(evidence.experiment, wanted)))
    return control
