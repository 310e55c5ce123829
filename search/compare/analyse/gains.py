"""What each study claims, and what is left of it on fresh seeds: gain, luck, tuning, code."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.confirmed import CONTROL, FEWEST_REPEATS, Scores, looks_at, planned_parts, scores_of
from search.compare.analyse.intervals import Combination
from search.compare.analyse.noise import control_scores
from search.compare.analyse.results import (
    ALPHA,
    Confirmed,
    ConstantChange,
    Decomposition,
    Edit,
    Gain,
    Missing,
    NullBand,
    StudyResult,
)
from search.compare.read.tables import REPORT, STOCK, ConfirmationTable, Experiment, Planned, StudyTable, TrialRow
from search.compare.show import remedies
from search.config.messages import UserError
from search.study.trial import Origin

OWN_STOCK = "own stock"


@dataclass(frozen=True)
class Parts:
    """A study's numbers as combinations of programs' scores, on validation unless said otherwise. `gain` is meant for all
    kinds of score."""

    claimed: Combination
    luck: Combination
    stock_shift: Combination
    tuning: Combination
    code: Combination
    gain: Combination


@dataclass(frozen=True)
class Evidence:
    """What the gains of an experiment are computed from."""

    experiment: Experiment
    table: ConfirmationTable | None
    scores: Scores | None
    control: list[float]
    band: NullBand | None


def evidence_of(experiment: Experiment, band: NullBand | None) -> Evidence:
    control, table = control_scores(experiment), experiment.confirmation
    return Evidence(experiment, table, None if table is None else scores_of(table, control), control, band)


def study_result(study: StudyTable, evidence: Evidence) -> StudyResult:
    planned = None if evidence.table is None else evidence.table.planned(study.identity)
    winner = study.winner if planned is None else _trial(study, planned.winner)
    scored = sum(row.score is not None for row in study.trials)
    stock = stock_before(study, evidence.control)
    parts = None if winner is None or stock is None else claimed_of(winner, stock)
    band = evidence.band if scored else None
    return StudyResult(
        study=study.identity,
        strategy=study.strategy,
        search_seed=study.search_seed,
        trials=len(study.trials),
        scored=scored,
        winner=None if winner is None else winner.number,
        search_score=None if winner is None else winner.score,
        stock=None if stock is None else stock.value({CONTROL: evidence.control}),
        stock_from=CONTROL if evidence.control else OWN_STOCK,
        claimed=None if parts is None else parts.value({CONTROL: evidence.control}),
        null_expected=None if band is None else band.expected[scored - 1],
        null_low=None if band is None else band.low[scored - 1],
        null_extrapolated=band is not None and scored > band.measured_to,
        kind=None if winner is None else winner.kind_from_stock,
        constants=() if winner is None else _constants(winner),
        left_in_code=() if planned is None else planned.left_in_code,
        edits=() if winner is None else _edits(study, winner),
        confirmed=None if planned is None else _confirmed(study, planned, evidence),
    )


def stock_before(study: StudyTable, control: list[float]) -> Combination | None:
    """The stock as the studies saw it: the control's mean, or else the score of the study's own stock."""
    if control:
        return Combination({CONTROL: 1.0})
    own = [row.val_bpb for row in study.rows if row.origin == Origin.STOCK and row.val_bpb is not None]
    return Combination(constant=own[0]) if own else None


def claimed_of(winner: TrialRow, stock: Combination) -> Combination:
    """Stock's mean minus search score."""
    return stock - _search_score(winner)


def parts_of(study: StudyTable, planned: Planned, evidence: Evidence) -> Parts | None:
    """None where the confirmation does not have the programs yet that they are made of, or where no stock was scored."""
    winner, stock = _trial(study, planned.winner), stock_before(study, evidence.control)
    needed = {STOCK, planned.arm, planned.constants or planned.arm}
    if evidence.scores is None or stock is None or not needed <= evidence.scores.confirmation.keys():
        return None
    tuning, code, gain = planned_parts(planned)
    luck = Combination({planned.arm: 1.0}) - _search_score(winner)
    return Parts(claimed_of(winner, stock), luck, stock - Combination({STOCK: 1.0}), tuning, code, gain)


def _confirmed(study: StudyTable, planned: Planned, evidence: Evidence) -> Confirmed | None:
    """None where the winner or the stock has no repeat yet."""
    table, scores = evidence.table, evidence.scores
    assert table is not None and scores is not None
    if not {STOCK, planned.arm} <= scores.confirmation.keys():
        return None
    _, _, combination = planned_parts(planned)
    gain = Gain(combination.estimate(scores.confirmation), combination.p_not_above_zero(scores.confirmation))
    looks = looks_at(table, {study.identity}, 1)
    missing = missing_repeats({STOCK, planned.arm}, evidence)
    parts = parts_of(study, planned, evidence)
    return Confirmed(
        arm=planned.arm,
        repeats=scores.of(planned.arm),
        stock_repeats=scores.of(STOCK),
        looks=looks,
        gain=gain,
        gain_on_validation=Gain(combination.estimate(scores.validation), combination.p_not_above_zero(scores.validation)),
        overfitting=combination.estimate(scores.overfit),
        decomposition=None if parts is None else decomposition(parts, scores),
        p_as_planned=_as_planned(combination, evidence),
        shown=not missing and gain.p is not None and gain.p * looks < ALPHA,
        missing=missing,
        better_since=_better_since(study, planned),
    )


def decomposition(parts: Parts, scores: Scores) -> Decomposition:
    return Decomposition(
        claimed=parts.claimed.value(scores.validation),
        luck=parts.luck.estimate(scores.validation),
        stock_shift=parts.stock_shift.estimate(scores.validation),
        tuning=parts.tuning.estimate(scores.validation),
        code_and_interaction=parts.code.estimate(scores.validation),
    )


def missing_repeats(arms: set[str], evidence: Evidence) -> tuple[Missing, ...]:
    """What these programs lack: the minimum of repeats, or some that are planned; to look before they are run would be a
    look of its own."""
    assert evidence.table is not None and evidence.scores is not None
    planned = evidence.table.plans[-1].repeats
    run = {(row.arm, row.replicate) for row in evidence.table.rows if row.arm in arms and row.stage == REPORT}
    waiting = planned * len(arms) - len(run)
    repeats = min(evidence.scores.of(arm) for arm in arms)
    if repeats < FEWEST_REPEATS:
        what = f"{FEWEST_REPEATS - repeats} of {FEWEST_REPEATS} confirmation repeats"
        failed = waiting <= 0 and planned >= FEWEST_REPEATS  # then more must be planned
        wanted = planned + FEWEST_REPEATS - repeats if failed else max(FEWEST_REPEATS, planned)
        return (Missing(what, remedies.confirm(evidence.experiment, wanted)),)
    if waiting > 0:
        return (Missing("confirmation repeats that are planned", remedies.confirm(evidence.experiment, planned)),)
    return ()


def _as_planned(combination: Combination, evidence: Evidence) -> float | None:
    """The p of the first plan's repeats alone, where later plans have added some."""
    assert evidence.table is not None
    first = evidence.table.plans[0].repeats
    if evidence.table.plans[-1].repeats == first:
        return None
    scores = scores_of(evidence.table, evidence.control, first)
    if not combination.weights.keys() <= scores.confirmation.keys():
        return None
    return combination.p_not_above_zero(scores.confirmation)


def _better_since(study: StudyTable, planned: Planned) -> int | None:
    best, winner = study.winner, _trial(study, planned.winner)
    if best is None or best.number in planned.arms or winner.score is None or best.score is None:
        return None
    return best.number if best.score < winner.score else None


def _search_score(winner: TrialRow) -> Combination:
    assert winner.score is not None  # winners have one
    return Combination(constant=winner.score)


def _trial(study: StudyTable, number: int) -> TrialRow:
    found = [row for row in study.rows if row.number == number and row.score is not None]
    if not found:
        raise UserError(
            f"{study.identity}: the confirmation trained trial {number}, whose score the study's table lacks; give the "
            "study's command again, which publishes it"
        )
    return found[0]


def _constants(winner: TrialRow) -> tuple[ConstantChange, ...]:
    return tuple(
        ConstantChange(name, winner.constants_before.get(name), value) for name, value in sorted(winner.constants.items())
    )


def _edits(study: StudyTable, winner: TrialRow) -> tuple[Edit, ...]:
    """The chain of parents from the stock (left out) to the winner."""
    by_number = {row.number: row for row in study.rows}
    chain: list[Edit] = []
    row: TrialRow | None = winner
    while row is not None and row.number > 0:
        chain.append(Edit(row.number, row.note, row.kind, row.val_bpb))
        row = None if row.parent is None or row.parent >= row.number else by_number.get(row.parent)
    return tuple(reversed(chain))
