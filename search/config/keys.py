"""The keys of a schema: which there are, what each takes, and what is said of one that is wrong."""

from __future__ import annotations

import difflib
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

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


def unknown_key(key: str, schema: type) -> str:
    """For a key that the schema lacks, with the nearest that it has."""
    near = difflib.get_close_matches(key, known_keys(schema), n=1, cutoff=0.8)
    return f"{key}: no such key; {f'did you mean {near[0]}?' if near else '--help shows the keys'}"


def in_words(hint: Any) -> str:
    """What a value of that type is called in a message."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return " or ".join(WORDS.get(part, "given by its keys" if is_dataclass(part) else str(part)) for part in parts)
