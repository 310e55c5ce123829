"""Finds out which column is what: by name, by a guess if only one makes sense (which is then said), or by asking."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from search.config.messages import UserError
from search.review.read.records import Segment

COMMIT = ("commit", "commit_hash", "hash", "sha", "git_sha", "experiment", "exp", "id", "run", "name")
STATUS = ("status", "decision", "verdict", "outcome", "kept", "result", "action")
DESCRIPTION = ("description", "desc", "hypothesis", "change", "idea", "summary", "note", "notes", "experiment_description")
TIME = ("timestamp", "time", "date", "datetime", "started", "created", "created_at")
FIELD = "val_bpb"  # the field's own metric
LOWER = (
    "bpb loss rmse mae mse mape error err perplexity ppl nll latency ms us µs ns s sec seconds time duration wer cer cost"
)
HIGHER = "acc accuracy score r2 f1 auc bleu rouge reward silhouette correlation precision recall throughput iou ndcg mrr"
ASIDE = re.compile(  # columns that often stand beside a metric
    r"memory|vram|(^|_)(gb|mb|mfu|steps?|params?(_m)?|batch(_size)?|budget(_sec)?|seed|run|delta|confidence|segment|epochs?"
    r"|tok_per_sec|tokens?(_m)?|final_loss|train_loss|(training|total|train|wall)_(seconds|time|s)|timestamp|lr|depth)($|_)"
)
NO_NUMBER = ("", "na", "n/a", "nan", "none", "null", "-", "--", "?")


@dataclass(frozen=True)
class Columns:
    """Names of columns in the log; None if it has no such column. `lower`: whether lower is better. `guessed`: whether that
    is only a guess. `said`: how each was chosen, in sentences."""

    metric: str
    lower: bool
    guessed: bool
    commit: str | None
    status: str | None
    description: str | None
    time: str | None
    said: tuple[str, ...]


def columns_of(segment: Segment, metric: str | None, direction: str | None) -> Columns:
    """Finds the columns. `metric`, `direction`: what the user says. Raises UserError if the log leaves a choice, or lacks
    that column."""
    roles = {
        role: _named(segment, names) for role, names in (("status", STATUS), ("description", DESCRIPTION), ("time", TIME))
    }
    chosen, how = _metric(segment, metric, set(roles.values()))
    lower, guessed, why = _direction(segment, chosen, direction)
    free = Segment(segment.records, tuple(name for name in segment.columns if name != chosen and name not in roles.values()))
    return Columns(
        metric=chosen,
        lower=lower,
        guessed=guessed,
        commit=_named(free, COMMIT),
        said=(f"The metric is {chosen}, {how}.", f"{'Lower' if lower else 'Higher'} is better, {why}."),
        **{role: None if name == chosen else name for role, name in roles.items()},
    )


def number(cell: str) -> float | None:
    """Returns a cell's finite number; None if it has none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _named(segment: Segment, names: tuple[str, ...]) -> str | None:
    found = {re.sub(r"\W+", "_", column.lower()): column for column in segment.columns}
    return next((found[name] for name in names if name in found), None)


def _metric(segment: Segment, asked: str | None, taken: set[str | None]) -> tuple[str, str]:
    """The metric's column, and how it was found."""
    if asked is not None:
        if asked not in segment.columns:
            raise UserError(f"metric={asked}: the log has no such column; it has {', '.join(segment.columns)}")
        return asked, "as given"
    if segment.metric is not None and segment.metric in segment.columns:
        return segment.metric, "as the log says"
    if FIELD in segment.columns:
        return FIELD, "the usual one (guessed from the name; metric= chooses another)"
    found = [name for name in segment.columns if name not in taken and _holds_numbers(segment, name)]
    likely = [name for name in found if not ASIDE.search(name.lower())]
    if len(likely) == 1:
        return likely[0], "the only column that looks like one (guessed; metric= chooses another)"
    several = f"several columns could be it: {', '.join(likely or found)}" if found else "no column holds numbers"
    raise UserError(
        f"metric: which column is the score? In this log {several}.\nGive it with metric=, and say direction=lower or higher"
    )


def _holds_numbers(segment: Segment, name: str) -> bool:
    """Says whether every cell is a number, or says that there is none."""
    cells = [record.cells[name] for record in segment.records]
    return all(number(cell) is not None or cell.lower() in NO_NUMBER for cell in cells)


def _direction(segment: Segment, metric: str, asked: str | None) -> tuple[bool, bool, str]:
    """Returns whether lower is better, whether that is a guess, and where it comes from."""
    if asked is not None:
        return asked == "lower", False, "as given"
    if segment.direction in ("lower", "higher") and metric == segment.metric:
        return segment.direction == "lower", False, "as the log says"
    words = set(re.split(r"[^a-zµ0-9]+", metric.lower()))
    lower, higher = bool(words & set(LOWER.split())), bool(words & set(HIGHER.split()))
    if lower == higher:
        raise UserError(
            f"direction: is a lower or a higher {metric} better? The log does not say.\nGive direction=lower or higher"
        )
    return lower, True, "guessed from its name (direction= says it)"
