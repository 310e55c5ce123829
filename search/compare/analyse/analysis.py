"""The whole comparison: from an experiment's tables to everything that a report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.compare.analyse import minima, remedies
from search.compare.analyse.behavior import Behavior, behavior_of
from search.compare.analyse.blocks import StockScores, counts
from search.compare.analyse.contrasts import contrast_findings
from search.compare.analyse.curves import MedianCurve, StudyCurve, medians, study_curve
from search.compare.analyse.failures import FailedTrial, failed_trials
from search.compare.analyse.finding import Finding, Missing, Name, Scope
from search.compare.analyse.machine import Move, held_back, machine_findings, moves, speed_shifts
from search.compare.analyse.noise import Noise
from search.compare.analyse.probe import Effect
from search.compare.analyse.programs import program_findings
from search.compare.analyse.quantity import Evidence, evidence_of, measured_of
from search.compare.analyse.steps import step_findings
from search.compare.analyse.strategies import strategy_findings
from search.compare.analyse.studies import Reliability, StudyFacts, reliability_of, study_facts
from search.compare.read.tables import REPORT, ConfirmationTable, Experiment
from search.config.commands import Pair

SCHEMA = 3  # of report.json; .github/docs/report-json.md describes it


@dataclass(frozen=True)
class FailedRepeat:
    """A run of the confirmation without a score that counts."""

    arm: str
    search_seed: int
    repeat: int
    status: str
    reason: str


@dataclass(frozen=True)
class ConfirmationFacts:
    """`looks`: planned at the first confirmation; `look`: how often it was planned or extended by now. `runs`: trained for
    the report, `planned_blocks`: search seeds times repeats. `stock`: its mean scores; None where it has none. `probe`: what
    scores were adjusted by, if by anything."""

    look: int
    looks: int
    repeats: int
    top: int
    stock_runs: int
    at: tuple[int, ...]
    runs: int
    planned_blocks: int
    stock: StockScores | None
    failed: tuple[FailedRepeat, ...]
    probe: Effect | None


@dataclass(frozen=True)
class Machine:
    """`moves`: shifts of the stock's score beyond the noise floor, the largest first. `speeds`: studies whose stock trained
    at another speed than the control, as ratios. `held_back`: signs in the telemetry, with how many trials show them, of how
    many that recorded it."""

    moves: tuple[Move, ...]
    speeds: tuple[tuple[str, float], ...]
    held_back: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Findings:
    """The table that everything is a view of."""

    findings: tuple[Finding, ...]

    def of(self, scope: Scope, name: Name | None = None, subject: str | None = None, at: int | None = None) -> list[Finding]:
        """The findings of a kind, in their order."""
        return [
            finding
            for finding in self.findings
            if finding.scope is scope
            and (name is None or finding.name is name)
            and (subject is None or finding.subject == subject)
            and finding.at == at
        ]

    def find(self, scope: Scope, name: Name, subject: str, at: int | None = None) -> Finding | None:
        """The first of them."""
        return next(iter(self.of(scope, name, subject, at)), None)


@dataclass(frozen=True)
class Analysis(Findings):
    """All that a report says. `failed`: trials without a score. `missing`: what claims lack, each once; `commands`: what
    adds it, in order."""

    schema: int
    experiment: str
    task: str
    task_facts: dict[str, Any]
    task_fingerprint: str
    noise: Noise
    machine: Machine
    confirmation: ConfirmationFacts | None
    studies: tuple[StudyFacts, ...]
    strategies: tuple[Reliability, ...]
    failed: tuple[FailedTrial, ...]
    behavior: tuple[Behavior, ...]
    curves: tuple[StudyCurve, ...]
    medians: tuple[MedianCurve, ...]
    missing: tuple[Missing, ...]
    commands: tuple[str, ...]


def findings_of(evidence: Evidence, named: Sequence[Pair] = (), delta: float | None = None) -> Findings:
    """`named`, `delta`: as `contrast_findings` takes them."""
    measured = measured_of(evidence)
    return Findings(
        (
            *contrast_findings(evidence, named, delta),
            *strategy_findings(evidence, measured),
            *program_findings(evidence, measured),
            *step_findings(evidence),
            *machine_findings(evidence.experiment),
        )
    )


def analyse(experiment: Experiment, named: Sequence[Pair] = (), delta: float | None = None) -> Analysis:
    """Pure: the same tables give the same analysis. `named`, `delta`: as `contrast_findings` takes them."""
    evidence = evidence_of(experiment)
    noise, findings = evidence.noise, findings_of(evidence, named, delta).findings
    missing = tuple(dict.fromkeys(missing for finding in findings for missing in finding.missing))
    curves = tuple(study_curve(study) for study in experiment.studies)
    return Analysis(
        schema=SCHEMA,
        experiment=experiment.name,
        task=experiment.task,
        task_facts=experiment.task_facts,
        task_fingerprint=experiment.task_fingerprint,
        noise=noise,
        findings=findings,
        machine=Machine(
            tuple(moves(experiment, findings, noise)), tuple(speed_shifts(experiment)), tuple(held_back(experiment))
        ),
        confirmation=_facts(experiment.confirmation, evidence) if experiment.confirmation.plans else None,
        studies=tuple(study_facts(study, evidence) for study in experiment.studies),
        strategies=tuple(reliability_of(experiment, label) for label in experiment.strategies),
        failed=failed_trials(experiment),
        behavior=behavior_of(experiment),
        curves=curves,
        medians=medians(curves),
        missing=missing,
        commands=remedies.in_order(experiment, missing, max(experiment.confirmation.repeats, minima.PROGRAM_REPEATS)),
    )


def _facts(table: ConfirmationTable, evidence: Evidence) -> ConfirmationFacts:
    last, rows = table.plans[-1], [row for row in table.rows if row.stage == REPORT]
    return ConfirmationFacts(
        look=len(table.plans),
        looks=table.plans[0].looks,
        repeats=last.repeats,
        top=last.top,
        stock_runs=last.stock_runs,
        at=last.at,
        runs=len(rows),
        planned_blocks=last.repeats * len({planned.search_seed for planned in table.studies.values()}),
        stock=evidence.blocks.stock,
        failed=tuple(
            FailedRepeat(row.arm or "", row.search_seed or 0, row.repeat or 0, row.status, row.reason or "was not audited")
            for row in rows
            if not counts(row)
        ),
        probe=evidence.blocks.probe,
    )
