"""Says before a confirmation what it will train, how often, and how long that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from search.config.messages import many
from search.confirm.blocks import FIRST, Run
from search.confirm.plan import REPORT, SCREENING, STOCK, Plan
from search.confirm.studies import StudyRecord
from search.page.numbers import duration
from search.study.trial import Status

TO_CHOOSE = "to choose among the best trials: "  # what the runs of the screening are for


def announcement(plan: Plan, missing: Sequence[Run], studies: Sequence[StudyRecord]) -> list[str]:
    """Returns lines about the runs that a plan still needs; the last ones name the programs."""
    purpose = TO_CHOOSE if plan.stage == SCREENING else ""
    if not missing:
        return [f"{purpose}everything planned has been trained"]
    in_blocks = [run for run in missing if run != FIRST]
    blocks = {(run.search_seed, run.repeat) for run in in_blocks}
    arms = sorted({run.arm for run in in_blocks}, key=lambda arm: (arm != STOCK, arm))
    seeds = len({seed for seed, _ in blocks})
    seconds, stocks = _seconds(len(missing), studies), plan.settings.stock_runs
    warming = "; the first run only warms up" if len(in_blocks) < len(missing) else ""
    times = "once" if stocks == 1 else f"{stocks} times"
    stock = f", with the stock {times} in each" if plan.stage == REPORT else ""
    return [
        f"{purpose}{many(len(missing), 'training run')}, about {duration(seconds)}{warming}",
        f"{many(len(arms), 'program')} in {many(len(blocks), 'block')} of {many(seeds, 'search seed')}{stock}; "
        "the order is random:",
        *(f"  {arm}" for arm in arms),
    ]


def left_in(plan: Plan) -> list[str]:
    """Returns a line for each step that cannot be left out, with the reason."""
    return [
        f"{identity}: the step of trial {step['trial']} ({step['note'] or 'no note'}) {step['why']}"
        for identity, study in plan.studies.items()
        for step in study.get("steps", ())
        if step["arm"] is None
    ]


def looks(plans: Sequence[Plan]) -> int:
    """Counts the looks among these plans of the report. A plan that only adds steps is not a look."""
    seen = [[plan.settings.repeats, _without_steps(plan)] for plan in plans]
    return sum(before != after for before, after in zip([None, *seen], seen, strict=False))


def _without_steps(plan: Plan) -> dict[str, dict[str, object]]:
    return {name: {key: value for key, value in study.items() if key != "steps"} for name, study in plan.studies.items()}


def unplanned(plan: Plan, looks: int) -> str | None:
    """Warns of a plan that makes more looks than were planned; None otherwise. `looks`: this one included."""
    if looks <= plan.settings.looks:
        return None
    return (
        f"this is an unplanned look: looks={plan.settings.looks} was fixed when the confirmation began, and this is look "
        f"{looks}. You may take it, but it gives luck another chance: the comparison will require a smaller p for all that "
        "could be read before"
    )


def _seconds(runs: int, studies: Sequence[StudyRecord]) -> float:
    """Estimates the time from the mean over the studies' completed trials, all phases together."""
    entries = [entry.trial for study in studies for entry in study.entries if entry.trial.status is Status.COMPLETED]
    return runs * statistics.mean(sum(trial.outcome.seconds.values()) for trial in entries)
