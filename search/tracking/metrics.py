"""What MLflow's charts and columns show of a finished trial's outcome."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from search.study.journal import Entry
from search.study.trial import Outcome
from search.tracking import peaks

if TYPE_CHECKING:
    from mlflow.entities import Metric


def metric(name: str, value: float, at: int, step: int) -> Metric:
    """`at`: milliseconds since the epoch."""
    from mlflow.entities import Metric

    return Metric(name, float(value), at, step)


def outcome_metrics(entry: Entry) -> list[Metric]:
    """A trial's numbers, and its loss curve over tokens."""
    outcome, cost = entry.trial.outcome, entry.trial.answer.cost
    values = _values(outcome)
    if cost is not None:
        values |= {f"llm_{name}": value for name, value in asdict(cost).items() if value is not None}
    at = int(entry.finished * 1000)
    started = entry.finished - outcome.train_seconds
    curve = [metric("train_loss", p.loss, int((started + p.seconds) * 1000), p.tokens) for p in outcome.losses]
    return [metric(name, value, at, 0) for name, value in values.items()] + curve


def outcome_tags(outcome: Outcome) -> dict[str, str]:
    """What its program says of itself in words, and why its utilisation is not known."""
    described = {f"described.{name}": value for name, value in outcome.described.items() if isinstance(value, str)}
    return {**described, "mfu": peaks.why_unknown(outcome)}


def _values(outcome: Outcome) -> dict[str, float]:
    speed = outcome.tokens / outcome.train_seconds if outcome.train_seconds > 0 else None
    values = {
        "val_bpb": outcome.val_bpb,
        "confirmation_bpb": outcome.confirmation_bpb,
        "field_bpb": outcome.field_bpb,
        "audit_sd": outcome.audit_sd,
        "audit_max": outcome.audit_max,
        "tokens_per_second": speed,
        "mfu": peaks.utilisation(outcome),
    }
    return {
        "train_seconds": outcome.train_seconds,
        "tokens": outcome.tokens,
        "steps": outcome.steps,
        "peak_memory_mb": outcome.peak_memory_mb,
        "dropped_share": outcome.dropped_share,
        **{f"seconds/{phase}": seconds for phase, seconds in outcome.seconds.items()},
        **{f"device/{name}": value for name, value in outcome.telemetry.items()},
        **{f"described/{name}": value for name, value in outcome.described.items() if not isinstance(value, str)},
        **{name: value for name, value in values.items() if value is not None},
    }
