"""Opens the runs that a review asks for: their plan, how to run them, and the record that they continue."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.config.commands import ReviewConfig
from search.config.files import remove_tree
from search.config.messages import UserError
from search.config.places import resolve
from search.review.again.plan import Plan, plan_of
from search.review.again.record import PLANNED, Record
from search.review.again.run import WORK, Runs
from search.review.read.log import Log
from search.review.show.shown import Shown
from search.runner import plain
from search.runner.plain import PRINTED, Way
from search.runner.printed import Metric

MOST = 1_000  # times the log's largest score: a number farther from 0 is not a score


@contextmanager
def open_again(config: ReviewConfig, folder: Path, shown: Shown, say: Callable[[str], None]) -> Iterator[Runs]:
    """Yields the runs of a review whose page is in `folder`, with their record held open. Raises UserError."""
    assert config.repository is not None
    repository, way, log = resolve(config.repository), _way(config), shown.log
    plain.check(way)
    order_seed = secrets.randbits(32)  # from the system, so that nobody can choose an order
    plan = plan_of(repository, shown.reviewed.keeps, shown.programs, config.keeps, config.repeats, order_seed)
    with Record(folder, say) as record:
        plan = _on_record(record, plan, _facts(plan, way, log))
        remove_tree(folder / WORK)  # of a start that was killed
        yield Runs(repository, plan, way, _metric(config, log), log.lower, config, record, say)


def _way(config: ReviewConfig) -> Way:
    asked = config.plain
    return Way(
        command=asked.command,
        python=None if asked.python is None else str(resolve(asked.python)),
        shown=tuple(resolve(path) for path in asked.shown),
        environment=asked.environment,
        device=asked.device,
        threads=asked.threads,
        memory_gb=asked.memory_gb,
        disk_gb=asked.disk_gb,
        sandbox=config.sandbox,
    )


def _metric(config: ReviewConfig, log: Log) -> Metric:
    scores = [trial.score for trial in log.scored if trial.score is not None]
    return Metric(
        name=config.plain.prints or log.metric,
        zero=not log.lower or config.zeros == "scores",
        most=MOST * max(abs(score) for score in scores),
        negative=min(scores) < 0,
    )


def _facts(plan: Plan, way: Way, log: Log) -> dict[str, Any]:
    """Returns what a record is about: this must not change while it grows."""
    return {
        "metric": log.metric,
        "programs": {f"trial {arm.trial}": arm.commit for arm in (plan.start, *plan.keeps)},
        "plain.command": way.command,
        "plain.python": way.interpreter,
        "plain.device": way.kind,
        "plain.environment": dict(way.environment),
        "sandbox": way.sandbox,
    }


def _on_record(record: Record, plan: Plan, facts: Mapping[str, Any]) -> Plan:
    """Returns the plan in the record, or puts it there. Repeats can only be added. Raises UserError if the record is about
    something else."""
    before = record.of(PLANNED)
    if not before:
        record.append(PLANNED, {**facts, "repeats": plan.repeats, "order_seed": plan.order_seed, "scores": PRINTED})
        return plan
    for name, now in facts.items():
        if before[0].get(name) != now:
            raise UserError(
                f"{record.path}: these runs began with {name}={before[0].get(name)}, but now it is {now}.\n"
                "Give the old value again, or another out="
            )
    repeats = before[-1]["repeats"]
    if plan.repeats < repeats:
        raise UserError(
            f"repeats={plan.repeats}: {repeats} were planned, and who can stop early can choose the result.\nGive "
            f"repeats={repeats} or more"
        )
    if plan.repeats > repeats:
        record.append(PLANNED, {**facts, "repeats": plan.repeats, "order_seed": before[0]["order_seed"], "scores": PRINTED})
    return replace(plan, order_seed=before[0]["order_seed"])
