"""Logs a run's params, metrics and tags to MLflow, in one call if it accepts all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from search.config.messages import printable
from search.tracking.store import is_refusal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

LONGEST_VALUE = 500  # characters of a param or tag that are shown
MOST = {"params": 100, "tags": 100, "metrics": 800}  # in one call; MLflow's limits are these, and 1,000 together

Value = tuple[str, Any]  # its kind, as log_batch names it, and MLflow's entity


def log_values(
    client: MlflowClient,
    run: str,
    params: Mapping[str, Any],
    metrics: Sequence[Metric] = (),
    tags: Mapping[str, str] | None = None,
) -> list[str]:
    """Log everything that MLflow accepts. Returns the names of what it refuses. Raises what `outages` names."""
    from mlflow.entities import Param, RunTag

    values: dict[str, Sequence[Any]] = {
        "params": [Param(name, str(value)[:LONGEST_VALUE]) for name, value in params.items()],
        "tags": [RunTag(name, value[:LONGEST_VALUE]) for name, value in (tags or {}).items()],
        "metrics": list(metrics),
    }
    refused: list[str] = []
    for call in zip_longest(*(_slices(kind, entities) for kind, entities in values.items()), fillvalue=()):
        wanted = [value for part in call for value in part]
        storable = [value for value in wanted if _is_text(value)]
        refused += [_name(value) for value in wanted if not _is_text(value)]
        refused += _log(client, run, storable)
    return refused


def _slices(kind: str, entities: Sequence[Any]) -> list[list[Value]]:
    values = [(kind, entity) for entity in entities]
    return [values[at : at + MOST[kind]] for at in range(0, len(values), MOST[kind])]


def _log(client: MlflowClient, run: str, values: Sequence[Value]) -> list[str]:
    """Log them in one call; where that is refused, find what is to blame by halves."""
    if not values:
        return []
    from mlflow.exceptions import MlflowException

    parts: defaultdict[str, Any] = defaultdict(list)
    for kind, entity in values:
        parts[kind].append(entity)
    try:
        client.log_batch(run, **parts)
    except MlflowException as error:
        if not is_refusal(error):
            raise
        middle = len(values) // 2
        return (
            [_name(values[0])] if not middle else [*_log(client, run, values[:middle]), *_log(client, run, values[middle:])]
        )
    return []


def _is_text(value: Value) -> bool:
    """Whether every database can hold it: servers respond to half a character, or to NUL, as if they had failed."""
    text = f"{value[1].key}{value[1].value}"
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _name(value: Value) -> str:
    key = printable(value[1].key)
    return key if len(key) <= 60 else f"{key[:60]}... ({len(key)} letters)"
