"""Reads the lines of a journal: what they say of each trial, and which of them is damaged.

Every line that a study depends on must follow from those before it: a line that is there twice, or in another's place, is
named like one that cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.study.trial import Candidate, Cost, Origin, Outcome, Trial, Unusable, Verdict

VERSION = 1  # of the lines' form, in a journal's first line
# What is read of a line, by its kind.
FIELDS = {
    "started": ("number", "origin", "answer", "training_seed"),
    "finished": ("number", "outcome", "duplicate_of"),
    "judged": ("number", "verdict"),
    "interrupted": ("number",),
    "published": ("number", "uri"),
    "accepted": ("hash", "files", "trial", "code"),
    "ended": ("reason",),
}

Line = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """All that the journal knows of one trial. Times are seconds since 1970."""

    trial: Trial
    training_seed: int
    started: float
    finished: float
    verdict: Verdict | None = None  # None where the harness died between finishing and judging

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def origin(self) -> Origin:
        return self.trial.origin

    @property
    def score(self) -> float | None:
        return self.trial.score

    @property
    def kept(self) -> bool | None:
        return None if self.verdict is None else self.verdict.kept


def read_lines(path: Path, data: bytes) -> list[Line]:
    """The lines of the journal `path`, which holds `data`. Raises UserError where one is no line of a journal, or where the
    journal is another version's."""
    lines: list[Line] = []
    for raw in data.splitlines():
        try:
            line = json.loads(raw)
            if not isinstance(line, dict):
                raise ValueError("it is no JSON object")
            if not lines and line.get("version") != VERSION:
                raise _other_version(path, line.get("version"))
            for name in ("kind", "time", *FIELDS.get(line["kind"], ())):
                line[name]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, lines, error) from error
        lines.append(line)
    return lines


def read_entries(path: Path, lines: Sequence[Line], text: Callable[[str], str]) -> list[Entry]:
    """The finished trials in their order. A trial that was started again counts once, as it finished. `text`: from its hash
    to a program. Raises UserError where a line does not follow from those before it."""
    entries: list[Entry] = []
    began: Line | None = None
    for at, line in enumerate(lines):
        try:
            began = _take(line, at == 0, began, entries, text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, lines[:at], error) from error
    return entries


def _take(line: Line, is_first: bool, began: Line | None, entries: list[Entry], text: Callable[[str], str]) -> Line | None:
    """Add to `entries` what a line says. Returns the line of the trial that is running after it."""
    kind, number = line["kind"], line.get("number")
    if kind == "study" and not is_first:
        raise ValueError("a journal begins in the middle of another")
    if kind == "started":
        if number != len(entries):
            raise ValueError(f"trial {number} starts, and trial {len(entries)} is due")
        return line
    if kind == "finished":
        if began is None:
            raise ValueError(f"trial {number} ends, and none was running")
        entries.append(_entry(began, line, text))
        return None
    if kind == "judged":
        if not entries or entries[-1].number != number or entries[-1].verdict is not None:
            raise ValueError(f"trial {number} is judged, and none waits for that")
        entries[-1] = replace(entries[-1], verdict=Verdict(**line["verdict"]))
    return began


def _entry(began: Line, ended: Line, text: Callable[[str], str]) -> Entry:
    if ended["number"] != began["number"]:
        raise ValueError(f"trial {ended['number']} ends, and trial {began['number']} was running")
    trial = Trial(
        number=ended["number"],
        origin=Origin(began["origin"]),
        answer=_answer(began["answer"], text),
        outcome=Outcome.from_record(ended["outcome"]),
        duplicate_of=ended["duplicate_of"],
    )
    return Entry(trial, began["training_seed"], began["time"], ended["time"])


def _answer(fields: Line, text: Callable[[str], str]) -> Candidate | Unusable:
    cost = Cost(**fields["cost"]) if fields["cost"] else None
    if "source" not in fields:
        return Unusable(**{**fields, "cost": cost})
    return Candidate(**{**fields, "cost": cost, "source": text(fields["source"])})


def _damaged(path: Path, before: Sequence[Line], error: Exception) -> UserError:
    """`before`: the lines that are in order."""
    why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    trial = sum(line["kind"] == "finished" for line in before)
    return UserError(
        f"{path}: line {len(before) + 1} is damaged ({why}): trial {trial} and all after it are lost.\n"
        "Restore the file from a copy, or remove it from that line on to train them again; or use another experiment="
    )


def _other_version(path: Path, version: object) -> UserError:
    return UserError(
        f"{path}: was written by another version of fairtrial, with lines of version {version}, and this one reads version "
        f"{VERSION}: none of its trials can be used.\n"
        "Go on with that version, or use another experiment="
    )
