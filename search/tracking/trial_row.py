"""A study as a table: one flat row per trial, which MLflow keeps as `trials.jsonl` and which comparisons read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from search.config.schema import TaskConfig
from search.study import source
from search.study.doubts import doubts
from search.study.flags import flags
from search.study.journal import Entry
from search.study.touched import code_from, touched
from search.study.trial import Trial

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what a program raises that cannot be parsed
CHANGES = (  # columns that a program has and an unusable answer lacks
    "kind",
    "kind_from_stock",
    "changed",
    "constants",
    "constants_before",
    "lines_added",
    "lines_removed",
    "touched",
    "code",
)
LONG = ("losses", "log_tail")  # of an outcome: what MLflow carries elsewhere


def row(entry: Entry, parent: str | None, stock: Trial, task: TaskConfig) -> dict[str, Any]:
    """All of a trial: its outcome's fields by their own names, where it came from, and what it changes. `parent`: the text
    that it was changed from. `stock`: the study's first trial."""
    assert stock.candidate is not None
    trial, candidate, verdict = entry.trial, entry.trial.candidate, entry.verdict
    return {
        **{name: value for name, value in trial.outcome.record().items() if name not in LONG},
        "tokens_per_second": trial.outcome.tokens_per_second,
        "number": trial.number,
        "origin": trial.origin,
        "score": trial.score,
        "kept": verdict.kept,
        "verdict": verdict.reason,
        "replicate": None if candidate is None else candidate.replicate,
        "training_seed": entry.training_seed,
        "parent": None if candidate is None else candidate.parent,
        "repeats": None if entry.repeats is None else list(entry.repeats),
        "merged": [] if candidate is None else list(candidate.merged),
        "note": trial.answer.note,
        "source": None if candidate is None else candidate.source_hash,
        **_changes(None if candidate is None else candidate.source, parent, stock.candidate.source),
        "doubts": list(doubts(trial.outcome, stock.outcome, task)),
        "facts": trial.answer.facts,
        "cost": None if trial.answer.cost is None else asdict(trial.answer.cost),
        "started": entry.started,
        "finished": entry.finished,
    }


def _changes(text: str | None, parent: str | None, stock: str) -> dict[str, Any]:
    """What changed against the parent and against the stock; None if there is nothing that parses."""
    if text is None:
        return {**dict.fromkeys(CHANGES), "flags": []}
    try:
        from_stock = source.change(stock, text)
        from_parent = from_stock if parent is None else source.change(parent, text)
        parts = {"touched": touched(stock if parent is None else parent, text), "code": code_from(stock, text)}
    except UNREADABLE:
        return _changes(None, None, stock)
    return {
        "kind": from_parent.kind,
        "kind_from_stock": from_stock.kind,
        "changed": {name: after for name, (_, after) in from_parent.constants.items()},
        "constants": {name: after for name, (_, after) in from_stock.constants.items()},
        "constants_before": {name: before for name, (before, _) in from_stock.constants.items()},
        "lines_added": from_parent.lines_added,
        "lines_removed": from_parent.lines_removed,
        **parts,
        "flags": list(flags(text)),
    }
