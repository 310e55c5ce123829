"""What a confirmation says before it trains anything: what, how often, and how long that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from search.config.messages import many
from search.confirm.blocks import FIRST, Run
from search.confirm.plan import REPORT, STOCK, Plan
from search.confirm.studies import StudyRecord
from search.page.numbers import duration
from search.study.trial import Status


def announcement(plan: Plan, missing: Sequence[Run], studies: Sequence[StudyRecord]) -> list[str]:
    """Lines about the runs that a plan still wants, the last ones naming the programs."""
    if not missing:
        return [f"{plan.stage}: everything planned is trained"]
    in_blocks = [run for run in missing if run != FIRST]
    blocks = {(run.search_seed, run.repeat) for run in in_blocks}
    arms = sorted({run.arm for run in in_blocks}, key=lambda arm: (arm != STOCK, arm))
    seeds = len({seed for seed, _ in blocks})
    seconds, stocks = _seconds(len(missing), studies), plan.settings.stock_runs
    warming = ", the first to warm up" if len(in_blocks) < len(missing) else ""
    stock = f", the stock {many(stocks, 'time')} in each" if plan.stage == REPORT else ""
    return [
        f"{plan.stage}: {many(len(missing), 'training run')}, about {duration(seconds)}{warming}",
        f"{many(len(arms), 'program')} in {many(len(blocks), 'block')} of {many(seeds, 'search seed')}{stock}; "
        "what comes first is drawn at random:",
        *(f"  {arm}" for arm in arms),
    ]


def left_in(plan: Plan) -> list[str]:
    """The steps that cannot be left out, by name, with the reason."""
    return [
        f"{identity}: the step of trial {step['trial']} ({step['note'] or 'no note'}) {step['why']}"
        for identity, study in plan.studies.items()
        for step in study.get("steps", ())
        if step["arm"] is None
    ]


def looks(plans: Sequence[Plan]) -> int:
    """How many of these plans of the report are looks. One that only adds steps brings no other view of what was planned."""
    seen = [[plan.settings.repeats, _without_steps(plan)] for plan in plans]
    return sum(before != after for before, after in zip([None, *seen], seen, strict=False))


def _without_steps(plan: Plan) -> dict[str, dict[str, object]]:
    return {name: {key: value for key, value in study.items() if key != "steps"} for name, study in plan.studies.items()}


def unplanned(plan: Plan, looks: int) -> str | None:
    """What is said of a plan that makes more looks than were planned; `looks`: with this one."""
    if looks <= plan.settings.looks:
        return None
    return (
        f"this is an unplanned look: looks={plan.settings.looks} was fixed when the confirmation began, and this is look "
        f"{looks}. It may be taken; but chance gets another try at whatever could be looked at before, and there the "
        "comparison asks for more"
    )


def _seconds(runs: int, studies: Sequence[StudyRecord]) -> float:
    """By the mean of the studies' own trials that were completed, all phases together."""
    entries = [entry.trial for study in studies for entry in study.entries if entry.trial.status is Status.COMPLETED]
    return runs * statistics.mean(sum(trial.outcome.seconds.values()) for trial in entries)
