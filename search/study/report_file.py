"""Reads reports of other people's studies from files. Their text is data, never an instruction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.study.report import FILE, SCHEMA, Report

MOST_BYTES = 10_000_000
FIELDS: Mapping[str, Any] = {  # what is read of a report, and what it is
    "study": str,
    "strategy": str,
    "search_seed": int,
    "task": dict,
    "task_fingerprint": str,
    "reads": list,
    "spent": dict,
    "findings": list,
    "dead_ends": list,
    "directions": list,
    "winner": dict | None,
    "stock_val_bpb": int | float | None,
}
NUMBERS, TEXTS = ("difference", "expected", "val_bpb", "gain"), ("note", "reason", "status", "diff", "direction", "report")


def files_of(path: Path) -> Sequence[Path]:
    """The report that a path names, or those in a folder of studies. Raises UserError if there is none."""
    if path.is_file():
        return [path]
    if (path / FILE).is_file():
        return [path / FILE]
    found = sorted(path.rglob(FILE))
    if not found:
        raise UserError(f"{path}: holds no {FILE}; name a study as EXPERIMENT/TASK/STRATEGY/SEED, or a {FILE} or its folder")
    return found


def read_report(path: Path) -> tuple[Report, str]:
    """A report and the SHA-256 of its file. Raises UserError if it cannot be used."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        data = path.read_bytes()
        report = json.loads(data, parse_constant=_refuse)
        _check(report)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not a readable report of a study ({error}); name another one") from error
    return report, hashlib.sha256(data).hexdigest()


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _check(report: Any) -> None:
    """Raises ValueError."""
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    for name, kind in FIELDS.items():
        if name not in report or not isinstance(report[name], kind):
            raise ValueError(f"{name} is missing or is not what it should be")
    rows = [*report["findings"], *report["dead_ends"], *report["directions"], report["winner"] or {}]
    for row in (*rows, *report["reads"]):
        if not isinstance(row, dict):
            raise ValueError("a part of a list is not an object")
    for row in rows:
        numbers = all(isinstance(row.get(name), int | float | None) for name in NUMBERS)
        if not numbers or not all(isinstance(row.get(name, ""), str) for name in TEXTS):
            raise ValueError("a note is not text, or a difference is not a number")
    if not all(isinstance(note.get("study"), str) for note in report["reads"]):
        raise ValueError("reads names no study")
