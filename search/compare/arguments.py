"""`key=value` arguments of the commands that read an experiment; they train nothing, and need no composed configuration."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from search.errors import UserError
from search.paths import CONF


def parse(arguments: Sequence[str], known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The given keys with their values. `known`: what reads a value of each key; it raises ValueError saying what is wanted.
    Raises UserError."""
    found: dict[str, Any] = {}
    for argument in arguments:
        key, given, value = argument.partition("=")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UserError(f"{key}: no such key; {f'did you mean {near[0]}?' if near else 'choose of ' + ', '.join(known)}")
        if not given or not value:
            raise UserError(f"{key}: needs a value, as {key}=...")
        try:
            found[key] = known[key](value)
        except ValueError as error:
            raise UserError(f"{key}={value}: {error}") from error
    return found


def positive(value: str) -> float:
    """A number above 0."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise ValueError("must be a number above 0")
    return number


def not_negative(value: str) -> float:
    """A number of 0 or more."""
    return 0.0 if value in ("0", "0.0") else positive(value)


def count(value: str) -> int:
    """A whole number of 1 or more."""
    if not value.isdecimal() or int(value) < 1:
        raise ValueError("must be a whole number above 0")
    return int(value)


def share(value: str) -> float:
    """A number between 0 and 1, both left out."""
    number = positive(value)
    if number >= 1:
        raise ValueError("must be below 1")
    return number


def several(value: str) -> list[float]:
    """Numbers above 0, with commas between them."""
    return [positive(part) for part in value.split(",")]


def usual_store() -> str:
    """The tracking URI of the configuration, where it is not given."""
    return str(OmegaConf.load(CONF / "config.yaml").tracking.uri)
