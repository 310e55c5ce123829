"""The keys of a schema: their names, what each takes, and the message for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

LIKE = 0.8  # from there on a key is taken for another's misspelling
WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list[int]: "whole numbers such as [10,30]",
    NoneType: "null",
}


def known_keys(schema: type, prefix: str = "") -> dict[str, Any]:
    """Every key of the schema as it is written on the command line, with its type."""
    hints, found = get_type_hints(schema), {}
    for field in fields(schema):
        key, hint = f"{prefix}{field.name}", hints[field.name]
        found[key] = hint
        if isinstance(hint, type) and is_dataclass(hint):
            found |= known_keys(hint, f"{key}.")
    return found


def unknown_key(key: str, known: Collection[str]) -> str:
    """The message for an unknown key: it names the nearest known key, or those next to it."""
    near = max(known, key=lambda name: _likeness(key, name), default="")
    inside = _inside(key, known)
    if _likeness(key, near) < LIKE:
        near = "" if inside else _ending_alike(key, known)
    if near:
        return f"{key}: no such key; did you mean {near}?"
    if inside is None:
        return f"{key}: no such key; --help shows the keys"
    parent, own = inside
    name = key.removeprefix(f"{parent}.").partition(".")[0]
    new = f"; a new dimension has a +: '+space.{name}={{kind: float, low: 0.1, high: 1}}'" if parent == "space" else ""
    return f"{key}: no such key; {parent} has {', '.join(own)}{new}"


def _inside(key: str, known: Collection[str]) -> tuple[str, list[str]] | None:
    """The nearest node above a key that there is, and what it holds; None if there is none."""
    parts = key.split(".")
    for at in range(len(parts) - 1, 0, -1):
        parent = ".".join(parts[:at])
        below = {name.removeprefix(f"{parent}.").partition(".")[0] for name in known if name.startswith(f"{parent}.")}
        if below:
            return parent, sorted(name for name in below if not name.startswith("_"))
    return None


def _ending_alike(key: str, known: Collection[str]) -> str:
    """The key with the same end that is nearest to the top; empty if there is none."""
    last = key.rpartition(".")[2]
    return min((name for name in known if name.rpartition(".")[2] == last), key=lambda name: name.count("."), default="")


def _likeness(key: str, name: str) -> float:
    """Likeness from 0 to 1. For keys with equally many parts, that of the least similar parts."""
    pairs = list(zip(key.split("."), name.split("."), strict=False))
    if key.count(".") != name.count("."):
        pairs = [(key, name)] if not key.startswith(f"{name}.") else [(key, "")]
    return min(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)


def in_words(hint: Any) -> str:
    """What a value of that type is called in a message."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return " or ".join(WORDS.get(part, "given by its keys" if is_dataclass(part) else str(part)) for part in parts)
