"""Reads the lines of a journal: what they say about each trial, and which of them is damaged.

Every line that a study depends on must follow from those before it. A line that occurs twice, or out of order, is
reported like one that cannot be read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.study.contract import NoiseFloor
from search.study.schedule import Asked, Entry, Rebased, Repeated, Schedule, Started, Step
from search.study.trial import Candidate, Cost, Origin, Outcome, Trial, Unusable, Verdict

VERSION = 3  # of the lines' form, in a journal's first line
# What is read of a line, by its kind.
FIELDS = {
    "asked": ("number", "origin", "answer", "training_seed", "noise_floor"),
    "rebased": ("number", "answer", "training_seed", "noise_floor"),
    "repeated": ("number", "of", "noise_floor"),
    "started": ("number",),
    "told": ("number", "outcome", "verdict"),
    "interrupted": ("number",),
    "published": ("number", "uri"),
    "accepted": ("hash", "files", "trial", "code"),
    "ended": ("reason",),
}

_LOST = (
    "the program of a trial is lost.\n"
    "Restore the file from a copy (MLflow has it as train.py of that trial), or use another experiment="
)

Line = dict[str, Any]


def read_lines(path: Path, data: bytes) -> list[Line]:
    """The lines of the journal `path`, which holds `data`. Raises UserError if one is not a line of a journal, or if
    the journal is of another version."""
    lines: list[Line] = []
    for raw in data.splitlines():
        try:
            line = json.loads(raw)
            if not isinstance(line, dict):
                raise ValueError("it is not a JSON object")
            if not lines and line.get("version") != VERSION:
                raise other_version(path, line.get("version"))
            for name in ("kind", "time", *FIELDS.get(line["kind"], ())):
                line[name]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, lines, error) from error
        lines.append(line)
    return lines


def read_schedule(path: Path, lines: Sequence[Line], text: Callable[[str], str]) -> Schedule:
    """What happened, in the order of the lines. `text`: from its hash to a program. Raises UserError if a line does not
    follow from those before it."""
    schedule = Schedule()
    for at, line in enumerate(lines):
        try:
            if line["kind"] == "study" and at > 0:
                raise ValueError("a journal begins in the middle of another")
            step = _step(line, schedule, text)
            if step is not None:
                schedule.add(step)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, lines[:at], error) from error
    return schedule


def _step(line: Line, before: Schedule, text: Callable[[str], str]) -> Step | None:
    """What a line says; None if it is not a step. A damaged line may raise any error of parsing."""
    match line["kind"]:
        case "asked":
            answer, seed = _answer(line["answer"], text), line["training_seed"]
            repeats = tuple(line["repeats"]) if "repeats" in line else None  # which the first journals lack
            return Asked(line["number"], Origin(line["origin"]), answer, seed, line["time"], _floor(line), repeats=repeats)
        case "rebased":
            return Rebased(line["number"], _answer(line["answer"], text), line["training_seed"], _floor(line))
        case "repeated":
            return Repeated(line["number"], line["of"], _floor(line))
        case "started":
            return Started(line["number"], line["time"])
        case "told":
            return _entry(line, before)
    return None


def _entry(line: Line, before: Schedule) -> Entry:
    asked = before.pending.get(line["number"])
    if asked is None:
        raise ValueError(f"trial {line['number']} ends, and it was not running")
    return entry_of(asked, Outcome.from_record(line["outcome"]), Verdict(**line["verdict"]), line["time"])


def entry_of(asked: Asked, outcome: Outcome, verdict: Verdict, at: float) -> Entry:
    """What is known of a trial when it is told. `at`: the moment of it."""
    trial = Trial(asked.number, asked.origin, asked.answer, outcome)
    started = asked.time if asked.started is None else asked.started
    return Entry(trial, asked.training_seed, started, at, verdict, asked.repeats)


def _answer(fields: Line, text: Callable[[str], str]) -> Candidate | Unusable:
    cost = Cost(**fields["cost"]) if fields["cost"] else None
    if "source" not in fields:
        return Unusable(**{**fields, "cost": cost})
    return Candidate(**{**fields, "cost": cost, "source": text(fields["source"])})


def _floor(line: Line) -> NoiseFloor | None:
    return None if line["noise_floor"] is None else NoiseFloor(**line["noise_floor"])


def _damaged(path: Path, before: Sequence[Line], error: Exception) -> UserError:
    """`before`: the lines that are in order."""
    why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    trials = sum(line["kind"] == "told" for line in before)
    return UserError(
        f"{path}: line {len(before) + 1} is damaged ({why}): {trials} trials are safe, but everything after them is lost.\n"
        "Restore the file from a copy, or remove it from that line on to train them again; or use another experiment="
    )


def source_path(folder: Path, digest: str) -> Path:
    """Where the study of a folder keeps the text of that hash."""
    return folder / "sources" / f"{digest[:16]}.py"


def read_text(folder: Path, digest: str) -> str:
    """The kept text of that hash. Raises UserError if it is missing, or is not that text any more."""
    path = source_path(folder, digest)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): {_LOST}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise UserError(f"{path}: was changed since it was written: {_LOST}")
    return data.decode()


def other_version(path: Path, version: object) -> UserError:
    """The message for a journal that another version wrote."""
    return UserError(
        f"{path}: was written by another version of fairtrial, with lines of version {version}, and this one reads version "
        f"{VERSION}: none of its trials can be used.\n"
        "Continue with that version, or use another experiment="
    )
