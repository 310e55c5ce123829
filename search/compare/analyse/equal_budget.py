"""Whether two strategies spent the same, and what their winners were when they had."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from search.compare.analyse.results import Missing
from search.compare.read.tables import STOCK, ConfirmationTable, Experiment, Planned, StudyTable, TrialRow
from search.compare.show import remedies
from search.study.winner import winner_of


@dataclass(frozen=True)
class CommonBudget:
    """`at`: the number of trials that winners are taken at; None for all of them."""

    equal: bool
    words: str
    at: int | None = None
    missing: tuple[Missing, ...] = ()

    def arm(self, study: StudyTable, table: ConfirmationTable) -> str | None:
        """The confirmation's arm of the study's winner at this budget; None where that is not known."""
        planned = table.planned(study.identity)
        if planned is None:
            return None
        if self.at is None or len(study.trials) <= self.at:
            return planned.arm
        return _arm_at(study.trials[: self.at], planned)


ANY = CommonBudget(True, "any: the control's program is the stock")


def equal_budget(
    experiment: Experiment, studies: Sequence[StudyTable], table: ConfirmationTable | None, reported: set[str]
) -> CommonBudget:
    """The common budget of studies that are to be compared. Where trials differ, winners are taken at the fewest, if they
    are confirmed."""
    counts = {len(study.trials) for study in studies}
    if len(counts) <= 1:
        return CommonBudget(True, f"{counts.pop()} trials each" if counts else "")
    limits = [study.header["config"]["study"] for study in studies]
    hours = {limit["train_hours"] for limit in limits}
    if len(hours) == 1 and None not in hours and all(limit["trials"] is None for limit in limits):
        return CommonBudget(True, f"{hours.pop():g} training hours each")
    common = CommonBudget(True, f"the first {min(counts)} trials of each", min(counts))
    if table is not None and all(common.arm(study, table) in reported for study in studies):
        return common
    words = f"not equal: {min(counts)} to {max(counts)} trials, and winners at {min(counts)} are not confirmed"
    return CommonBudget(False, words, missing=_longer(experiment, studies, max(counts)))


def _longer(experiment: Experiment, studies: Sequence[StudyTable], trials: int) -> tuple[Missing, ...]:
    short: dict[str, list[StudyTable]] = defaultdict(list)
    for study in studies:
        if len(study.trials) < trials:
            short[study.strategy].append(study)
    return tuple(
        Missing(
            f"{strategy}: {trials} trials in search seeds {', '.join(str(study.search_seed) for study in found)}",
            remedies.longer(experiment, found[0], [study.search_seed for study in found], trials),
        )
        for strategy, found in short.items()
    )


def _arm_at(trials: tuple[TrialRow, ...], planned: Planned) -> str | None:
    """The winner among the first trials. Where several were screened, it is known only if all rivals of then were."""
    if len(planned.screened) > 1:
        rivals = sorted((row.score, row.number) for row in trials if row.score is not None)[: len(planned.screened)]
        numbers = {number for _, number in rivals}
        return planned.arm if planned.winner in numbers and numbers <= set(planned.screened) else None
    best = winner_of(trials)
    if best is None:
        return None
    return STOCK if best.kind_from_stock == "none" else planned.arms.get(best.number)
