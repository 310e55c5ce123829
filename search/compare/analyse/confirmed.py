"""The confirmation's repeats, sorted by program: what every confirmed number is made of."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.intervals import Combination
from search.compare.analyse.results import Arm, ConfirmationFacts, FailedRepeat
from search.compare.read.tables import REPORT, STOCK, ConfirmationTable, Planned, TrialRow
from search.study.trial import Status

FEWEST_REPEATS = 5  # below which nothing is stated
CONTROL = "control"  # the control's own scores, beside the confirmation's arms


@dataclass(frozen=True)
class Scores:
    """The scores of completed and audited repeats, by arm, in the order of repeats. `overfit`: validation less
    confirmation."""

    validation: dict[str, list[float]]
    confirmation: dict[str, list[float]]
    overfit: dict[str, list[float]]

    def of(self, arm: str) -> int:
        """How many repeats an arm has."""
        return len(self.validation.get(arm, ()))


def scores_of(table: ConfirmationTable, control: list[float], repeats: int | None = None) -> Scores:
    """`control`: the control's own scores, kept under CONTROL. `repeats`: only the first so many of each arm, or all."""
    validation: dict[str, list[float]] = {}
    confirmation: dict[str, list[float]] = {}
    numbers = sorted({_repeat(row) for row in table.rows if row.stage == REPORT})[:repeats]
    for row in sorted(table.rows, key=_repeat):
        if counts(row) and _repeat(row) in numbers:
            assert row.arm is not None and row.val_bpb is not None and row.confirmation_bpb is not None
            validation.setdefault(row.arm, []).append(row.val_bpb)
            confirmation.setdefault(row.arm, []).append(row.confirmation_bpb)
    overfit = {
        arm: [seen - unseen for seen, unseen in zip(validation[arm], confirmation[arm], strict=True)] for arm in validation
    }
    return Scores({**validation, CONTROL: control}, confirmation, overfit)


def counts(row: TrialRow) -> bool:
    """Whether a repeat counts for estimates."""
    return row.stage == REPORT and row.status == Status.COMPLETED and row.audited and row.confirmation_bpb is not None


def confirmation_of(table: ConfirmationTable) -> ConfirmationFacts | None:
    """None where nothing was planned."""
    if not table.plans:
        return None
    first, last = table.plans[0], table.plans[-1]
    reported = [row for row in table.rows if row.stage == REPORT]
    names = [STOCK, *sorted({row.arm for row in reported if row.arm is not None} - {STOCK})]
    return ConfirmationFacts(
        planned=first.repeats,
        repeats=last.repeats,
        top=last.top,
        looks=len(table.plans),
        arms=tuple(_arm(name, reported) for name in names),
        failed=tuple(_failed(row) for row in table.rows if row.stage is not None and not (counts(row) or _screened(row))),
        unfinished=max(0, last.repeats * len(reported_arms(table)) - len({(row.arm, row.replicate) for row in reported})),
    )


def reported_arms(table: ConfirmationTable) -> set[str]:
    """The arms whose repeats are reported: the stock, winners and their constants, of all studies that are planned."""
    identities = {identity for plan in table.plans for identity in plan.studies}
    planned = [table.planned(identity) for identity in identities]
    arms = {arm for plan in planned if plan is not None for arm in (plan.arm, plan.constants) if arm is not None}
    return {STOCK, *arms}


def looks_at(table: ConfirmationTable, studies: set[str], fewest: int) -> int:
    """How often these studies' repeats could have been looked at: plans that changed what was confirmed, from the first on
    that has enough repeats of at least `fewest` of the studies; 1 where there is none such yet.

    Claims must hold with p times this number. Simulated without any effect, with looks at 5, 10, 15 and 20 repeats until
    one of them shows a gain: 5.3 % false claims; without the factor 8.7 %.
    """
    seen: dict[str, tuple[str, int]] = {}
    states = set()
    for plan in table.plans:
        for identity in studies & plan.studies.keys():
            seen[identity] = (plan.studies[identity].arm, plan.repeats)
        if plan.repeats >= FEWEST_REPEATS and len(seen) >= fewest:
            states.add(frozenset(seen.items()))
    return max(1, len(states))


def planned_parts(planned: Planned) -> tuple[Combination, Combination, Combination]:
    """Tuning, code and interaction, and both together (the gain), as combinations of arms."""
    stock, winner = Combination({STOCK: 1.0}), Combination({planned.arm: 1.0})
    constants = winner if planned.constants is None else Combination({planned.constants: 1.0})
    return stock - constants, constants - winner, stock - winner


def _arm(name: str, rows: list[TrialRow]) -> Arm:
    mine = sorted((row for row in rows if row.arm == name and counts(row)), key=_repeat)
    return Arm(
        name=name,
        repeats=tuple(_repeat(row) for row in mine),
        validation=tuple(row.val_bpb for row in mine if row.val_bpb is not None),
        confirmation=tuple(row.confirmation_bpb for row in mine if row.confirmation_bpb is not None),
    )


def _failed(row: TrialRow) -> FailedRepeat:
    reason = row.reason or ("was not audited" if row.status == Status.COMPLETED else "")
    return FailedRepeat(row.arm or "", _repeat(row), row.status, reason)


def _screened(row: TrialRow) -> bool:
    return row.stage != REPORT and row.status == Status.COMPLETED and row.audited


def _repeat(row: TrialRow) -> int:
    assert row.replicate is not None  # a confirmation trains programs only
    return row.replicate
