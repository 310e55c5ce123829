"""At which number of trials two studies are compared, and which arm a study has then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.compare.analyse import minima, remedies
from search.compare.analyse.finding import Missing
from search.compare.read.tables import STOCK, Experiment, Planned, StudyTable


@dataclass(frozen=True)
class Budget:
    """Trials that winners are taken after. `at`: None where studies are equally long, and their winners final."""

    at: int | None
    words: str
    missing: tuple[Missing, ...] = ()


def budget_of(experiment: Experiment, studies: Sequence[StudyTable], at: int | None) -> Budget:
    """The budget at which studies are compared: `at`, or their whole where it is equal, or the fewest trials of one."""
    trials = {len(study.trials) for study in studies}
    if at is not None and min(trials) >= at:
        return Budget(at, f"winners after {at} trials")
    if len(trials) <= 1:
        return Budget(None, f"{trials.pop()} trials each" if trials else "")
    limits = [study.header["config"]["study"] for study in studies]
    hours = {limit["train_hours"] for limit in limits}
    if len(hours) == 1 and None not in hours and all(limit["trials"] is None for limit in limits):
        return Budget(None, f"{hours.pop():g} training hours each")
    fewest = min(trials)
    table = experiment.confirmation
    if all(len(study.trials) == fewest or arm_at(study, table.studies, fewest) is not None for study in studies):
        return Budget(fewest, f"winners after {fewest} trials, for not all studies are longer")
    missing = Missing(
        f"studies have {fewest} to {max(trials)} trials, and winners as of {fewest} are not confirmed",
        remedies.confirm(experiment, table.repeats or minima.PROGRAM_REPEATS, [fewest]),
    )
    return Budget(fewest, f"not equal: {fewest} to {max(trials)} trials", (missing,))


def arm_at(study: StudyTable, planned: Mapping[str, Planned], trials: int | None) -> str | None:
    """The arm of the winner as of so many trials, or of all; None where it is not confirmed."""
    plan = planned.get(study.identity)
    if plan is None or trials is None:
        return None if plan is None else plan.winner.name
    if trials in plan.at:
        return plan.at[trials].name
    winner = study.winner_at(trials)
    if winner is not None and winner.kind_from_stock == "none":
        return STOCK
    return plan.winner.name if len(study.trials) <= trials or plan.winner.trial < trials else None
