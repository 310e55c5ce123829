"""Rewords Hydra's and OmegaConf's errors in a line or two. Unknown keys are worded in config/keys, values in
config/validate."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection

from hydra.errors import OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from search.config.keys import unknown_key
from search.config.messages import UserError
from search.config.schema import describe


def explain(error: Exception, keys: Callable[[], Collection[str]], multirun: bool) -> str:
    """An error in a line or two: what is wrong, and what to do. `keys`: tells the keys that the command line could set.
    `multirun`: whether the command could be given several values."""
    if isinstance(error, OmegaConfBaseException):
        return describe(error)
    text = str(error)
    if isinstance(error, UserError):
        return text
    if isinstance(error, OverrideParseException):
        return _ungrammatical(error.override)
    key = re.search(r"Could not override '([^']*)'", text)
    if key:
        return unknown_key(key.group(1), keys())
    ambiguous = re.search(r"Ambiguous value for argument '(.*)'", text)
    if ambiguous:
        return f"{ambiguous.group(1)}: {'for one study each, add -m' if multirun else 'takes one value'}"
    lines = [line.strip() for line in text.split("Config search path")[0].splitlines() if line.strip()]
    if len(lines) > 1 and "Available options" in lines[1]:
        missing = re.sub(r"^In '.*': ", "", lines[0])
        return f"{missing}; choose one of {', '.join(lines[2:])}"
    if error.__cause__ is not None and not lines:
        return str(error.__cause__).splitlines()[0]
    return " ".join(lines[:2])


def _ungrammatical(word: str) -> str:
    """The message for what Hydra's grammar cannot read: most values can be put in quotes."""
    key, equals, value = word.partition("=")
    if not equals:
        return f"{word}: has no value; give it as {word}=..."
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', value.strip("'\""))
    quoted = shlex.quote(f'{key}="{escaped}"')
    return f"{word}: cannot be read; quote the value, and quote the whole for the shell: {quoted}"
