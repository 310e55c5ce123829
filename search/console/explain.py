"""What a user got wrong, in a line or two: Hydra's and OmegaConf's own words are longer."""

from __future__ import annotations

import difflib
import re
from dataclasses import fields, is_dataclass

from omegaconf.errors import OmegaConfBaseException

from search.config.messages import UserError
from search.config.schema import Config, describe


def explain(error: Exception) -> str:
    """An error in a line or two: what is wrong, and what to do."""
    if isinstance(error, OmegaConfBaseException):
        return describe(error)
    text = str(error)
    if isinstance(error, UserError):
        return text
    key = re.search(r"Could not override '([^']*)'", text)
    if key:
        return unknown_key(key.group(1), known_keys(Config), "python -m search --cfg job shows all keys")
    if "--multirun" in text:
        return f"{text.splitlines()[0].rstrip('.')}: for one study each, add -m"
    lines = [line.strip() for line in text.split("Config search path")[0].splitlines() if line.strip()]
    if len(lines) > 1 and "Available options" in lines[1]:
        return f"{lines[0]}; choose one of {', '.join(lines[2:])}"
    if error.__cause__ is not None and not lines:
        return str(error.__cause__).splitlines()[0]
    return " ".join(lines[:2])


def unknown_key(key: str, known: list[str], otherwise: str) -> str:
    """For a key that is not among the known ones, with the nearest of them. `otherwise`: what to say where none is near."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    meant = f"did you mean {near[0]}?" if near else otherwise
    return f"{key}: no such key; {meant}"


def known_keys(schema: type, prefix: str = "") -> list[str]:
    """Every key of the schema, as it is written on the command line."""
    keys = []
    for field in fields(schema):
        name = f"{prefix}{field.name}"
        keys.append(name)
        nested = field.default_factory
        if isinstance(nested, type) and is_dataclass(nested):
            keys += known_keys(nested, f"{name}.")
    return keys
