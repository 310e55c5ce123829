"""Reads a reply that chooses values of constants."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Container, Iterator
from typing import Any

from search.llm.dialogue import Repeats, Unreadable
from search.llm.values_prompt import Memory
from search.study.space import Values, refusal

NOTE_CHARACTERS = 120
LINE = re.compile(r"^[\s\-*`]*([A-Z][A-Z0-9_]*)[`*]*\s*([=:])[*\s]*(.+?)[\s`,;]*$", re.MULTILINE)
NOTE = re.compile(r"^[\s#*]*NOTE[\s*]*:[\s*]*(.+?)[\s*]*$", re.MULTILINE)


def tried(memory: Memory, chosen: Values) -> int | None:
    """The trial that has tried these values, or tries them now."""
    candidates = {trial.number: trial.candidate for trial in memory.history if trial.candidate is not None}
    candidates |= memory.pending
    return next((number for number in sorted(candidates) if memory.values(candidates[number]) == chosen), None)


def read(text: str, memory: Memory) -> dict[str, Any]:
    """The values that a reply chooses, of all constants of the space. Raises Unreadable; for what was tried, Repeats."""
    dimensions = memory.space.dimensions
    given = _object(text) or dict(_lines(text, dimensions))
    if not given:
        raise Unreadable('the reply holds no values: give one JSON object such as {"NAME": value}')
    if unknown := [name for name in given if name not in dimensions]:
        raise Unreadable(f"{', '.join(unknown)}: cannot be set; the constants are {', '.join(dimensions)}")
    chosen = {name: _number(dimensions[name].kind, value) for name, value in given.items()}
    problems = {name: refusal(dimensions[name], value) for name, value in chosen.items()}
    if said := [f"{name}={chosen[name]}: {problem}" for name, problem in problems.items() if problem]:
        raise Unreadable("; ".join(said))
    values = {**memory.base, **chosen}
    if (earlier := tried(memory, values)) is not None:
        raise Repeats(f"these are the values of trial {earlier} again; choose others")
    return {name: values[name] for name in dimensions}


def note_of(text: str) -> str:
    found = NOTE.search(text)
    return found[1][:NOTE_CHARACTERS] if found else ""


def _object(text: str) -> dict[str, Any] | None:
    """The last JSON object of a text."""
    decoder, found, at = json.JSONDecoder(), None, text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found = value
        at = text.find("{", end)
    return found


def _lines(text: str, known: Container[str]) -> Iterator[tuple[str, Any]]:
    """From lines such as `DEPTH = 8`. With a colon, what is not known is prose."""
    for name, sign, written in LINE.findall(text):
        if sign == ":" and name not in known:
            continue
        plain = written.partition("#")[0].strip()
        try:
            yield name, ast.literal_eval(plain)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            yield name, plain


def _number(kind: str, value: Any) -> Any:
    """A number as its kind writes it: 8.0 is a whole number, 1 is one with a point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if kind == "float" and abs(value) < 1e300:
        return float(value)
    return int(value) if kind in ("int", "power_of_two") and isinstance(value, float) and value.is_integer() else value
