"""The metrics in MLflow's charts and columns. `.github/docs/mlflow.md` says what each means. Details are called
`system/...`: MLflow shows these last, and on a page of their own. Any other group before a slash has a section of its
own, unfolded and above the metrics without a group (seen in 3.17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from search.study.journal import Entry
from search.study.trial import Origin, Outcome
from search.tracking.totals import Totals

if TYPE_CHECKING:
    from mlflow.entities import Metric

SCORES = ("val_bpb", "confirmation_bpb")  # of a trial's numbers: those that its charts begin with, besides the loss
# Of an outcome's tables: what the names of their numbers begin with.
TABLES = {"telemetry": "", "seconds": "seconds_", "spent": "overhead_", "described": "program_"}


def metric(name: str, value: float, at: int, step: int) -> Metric:
    """`at`: milliseconds since the epoch."""
    from mlflow.entities import Metric

    return Metric(name, float(value), at, step)


def outcome_metrics(entry: Entry) -> list[Metric]:
    """A trial's numbers, and its loss curve over tokens."""
    outcome, cost = entry.trial.outcome, entry.trial.answer.cost
    measured = numbers({**vars(outcome), "tokens_per_second": outcome.tokens_per_second})
    values = {_named(name): value for name, value in measured.items()}
    if cost is not None:
        values |= llm_values(numbers(asdict(cost)))
    at = int(entry.finished * 1000)
    started = entry.finished - outcome.train_seconds
    curve = [metric("train_loss", p.loss, int((started + p.seconds) * 1000), p.tokens) for p in outcome.losses]
    return [metric(name, value, at, 0) for name, value in values.items()] + curve


def study_metrics(entry: Entry, totals: Totals) -> list[Metric]:
    """The study's own curves over trials, at this one. `totals`: with it. Anchors have a curve of their own: they are not
    what the strategy reached."""
    trial, winner = entry.trial, totals.winner
    own = "system/anchor_val_bpb" if trial.origin is Origin.ANCHOR else "trial_val_bpb"
    values = {
        "best_val_bpb": None if winner is None else winner.score,
        own: trial.val_bpb,
        "system/train_hours": round(totals.train_hours, 6),
        **llm_values(totals.llm),
    }
    at = int(entry.finished * 1000)
    return [metric(name, value, at, trial.number) for name, value in values.items() if value is not None]


def llm_values(cost: Mapping[str, float]) -> dict[str, float]:
    """By their metrics' names. Zeros get no chart: without a server nothing is spent."""
    return {f"system/llm_{name}": value for name, value in cost.items() if value}


def _named(name: str) -> str:
    """The metric of an outcome's number; those of a table come as `table/name`."""
    table, slash, inner = name.partition("/")
    if slash:
        return f"system/{TABLES[table]}{inner}"
    return name if name in SCORES else f"system/{name}"


def outcome_tags(outcome: Outcome) -> dict[str, str]:
    """What its program says of itself in words."""
    return {f"described.{name}": value for name, value in outcome.described.items() if isinstance(value, str)}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among some values by name; those of a table as `table/name`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": number for inner, number in numbers(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found
