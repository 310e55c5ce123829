"""What MLflow's charts and columns show of a finished trial's outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from search.study.journal import Entry
from search.study.trial import Outcome

if TYPE_CHECKING:
    from mlflow.entities import Metric


def metric(name: str, value: float, at: int, step: int) -> Metric:
    """`at`: milliseconds since the epoch."""
    from mlflow.entities import Metric

    return Metric(name, float(value), at, step)


def outcome_metrics(entry: Entry) -> list[Metric]:
    """A trial's numbers under their own names, and its loss curve over tokens. The probes are not for the first look, and
    stand in a group that is folded away."""
    outcome, cost = entry.trial.outcome, entry.trial.answer.cost
    values = numbers({**vars(outcome), "tokens_per_second": outcome.tokens_per_second})
    values = {name.replace("probe_", "probe/"): value for name, value in values.items()}
    if cost is not None:
        values |= numbers({f"llm_{name}": value for name, value in asdict(cost).items()})
    at = int(entry.finished * 1000)
    started = entry.finished - outcome.train_seconds
    curve = [metric("train_loss", p.loss, int((started + p.seconds) * 1000), p.tokens) for p in outcome.losses]
    return [metric(name, value, at, 0) for name, value in values.items()] + curve


def outcome_tags(outcome: Outcome) -> dict[str, str]:
    """What its program says of itself in words."""
    return {f"described.{name}": value for name, value in outcome.described.items() if isinstance(value, str)}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among some values by name; those of a table as `table/name`, which MLflow's pages fold away."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": number for inner, number in numbers(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found
