"""Reads plans and reports from a chief scientist's replies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search.llm.dialogue import Unreadable
from search.llm.fields import NUMBER

LONGEST_TITLE, LONGEST_HYPOTHESIS, LONGEST_PART = 120, 600, 500  # characters
PLAN, REPORT = ("DIRECTION", "HYPOTHESIS", "EXPECT", "TRIALS"), ("TRIED", "LEARNED", "AVOID")
# At the beginning of a line, in the dress that models give it: **DIRECTION 1:**, ## Hypothesis:, - TRIALS: 3
LABEL = re.compile(rf"^[\s#>*_`-]*({'|'.join((*PLAN, *REPORT))})\b[\s*_`#]*\d*[\s*_`]*:[\s*_`]*", re.IGNORECASE)
FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True)
class Planned:
    """A direction of research. `expected`: the change of val_bpb, negative. `trials`: that it may use."""

    title: str
    hypothesis: str
    expected: float
    trials: int


@dataclass(frozen=True)
class Report:
    """The results of a direction, in its planner's words. `avoid`: what should not be tried again."""

    tried: str
    learned: str
    avoid: str

    def __str__(self) -> str:
        return f"Tried: {self.tried} Learned: {self.learned} Not again: {self.avoid}"


def read_plan(text: str, most: int, longest: int) -> list[Planned]:
    """The directions of a plan, from lines such as `DIRECTION: ...` or from JSON with the same names. `most`: directions.
    `longest`: trials of one. Raises Unreadable, with all that is wrong."""
    given = list(_objects(text) or _entries(text))
    if not given:
        raise Unreadable("the reply names no direction: give each as lines DIRECTION:, HYPOTHESIS:, EXPECT:, TRIALS:")
    if len(given) > most:
        raise Unreadable(f"the plan has {len(given)} directions, and {most} is the most; give the best of them")
    problems = [
        f"direction {number}: {problem}" for number, parts in enumerate(given, 1) for problem in _problems(parts, longest)
    ]
    if problems:
        raise Unreadable("; ".join(problems))
    return [
        Planned(
            line(parts["DIRECTION"], LONGEST_TITLE),
            line(parts["HYPOTHESIS"], LONGEST_HYPOTHESIS),
            _number(parts["EXPECT"]) or 0.0,
            int(_number(parts["TRIALS"]) or 0),
        )
        for parts in given
    ]


def read_report(text: str) -> Report:
    """Raises Unreadable."""
    parts = {name: value for entry in _entries(text, "TRIED") for name, value in entry.items()}
    missing = [name for name in REPORT if not line(parts.get(name, ""), 1)]
    if missing:
        raise Unreadable(f"the report lacks {', '.join(f'{name}:' for name in missing)} (each a line or a few)")
    return Report(*(line(parts[name], LONGEST_PART) for name in REPORT))


def line(text: str, most: int) -> str:
    """Text that an LLM wrote, as one line of at most so many characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:most].strip(" *_`")


def _problems(parts: Mapping[str, str], longest: int) -> Iterator[str]:
    for name in ("DIRECTION", "HYPOTHESIS"):
        if not line(parts.get(name, ""), 1):
            yield f"{name}: is missing"
    expected, trials = _number(parts.get("EXPECT", "")), _number(parts.get("TRIALS", ""))
    if expected is None or expected >= 0:
        yield "EXPECT: give the change of val_bpb that you expect, a number below 0, such as -0.010"
    if trials is None or trials != int(trials) or not 1 <= trials <= longest:
        yield f"TRIALS: give a whole number from 1 to {longest}"


def _number(text: str) -> float | None:
    found = NUMBER.search(text.replace("\N{MINUS SIGN}", "-"))
    value = float(found.group()) if found else None
    return value if value is not None and abs(value) < 1e6 else None


def _entries(text: str, first: str = "DIRECTION") -> Iterator[dict[str, str]]:
    """From labelled lines: `first` begins an entry, and other lines go on with the part above them."""
    entry: dict[str, str] = {}
    name = ""
    for row in text.splitlines():
        found = LABEL.match(row)
        if found:
            name, row = found.group(1).upper(), row[found.end() :]
            if name == first and entry:
                yield entry
                entry = {}
            entry[name] = row
        elif name and not FENCE.match(row):
            entry[name] += f" {row}"
    if first in entry:
        yield entry


def _objects(text: str) -> list[dict[str, str]]:
    """From the first JSON in a text that is a list of objects, or an object with such a list; empty if there is none."""
    decoder = json.JSONDecoder()
    for found in re.finditer(r"[\[{]", text):
        try:
            value, _ = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        rows = _rows(value)
        if rows:
            return [{str(name).upper(): str(part) for name, part in row.items()} for row in rows]
    return []


def _rows(value: Any) -> list[dict[str, Any]]:
    lists = [part for part in value.values() if isinstance(part, list)] if isinstance(value, dict) else [value]
    for rows in lists:
        if rows and all(isinstance(row, dict) and "DIRECTION" in map(str.upper, row) for row in rows):
            return rows
    return []
