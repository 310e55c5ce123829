"""Words of a command line as Hydra takes them: `key=value`, `+key=value` or `~key`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import zip_longest

from search.config.keys import known_keys
from search.config.messages import UserError
from search.config.places import CONF
from search.config.schema import Config

# Holds nothing that has a special meaning in Hydra's grammar, except commas and >.
PLAIN = re.compile(r"[^'\"\[\](){}$\\]*")
NOT_TEXT = re.compile(r"true|false|[+-]?(nan|inf)|[+-]?[\d_.]+(e[+-]?\d+)?", re.IGNORECASE)  # where it is not in quotes

OPTIONS = (  # Hydra's own
    *("help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion"),
    *("config-path", "config-name", "config-dir", "experimental-rerun", "info"),
)


# Trees whose keys are the user's own: Hydra wants a + before a key that its YAML lacks.
OPEN = re.compile(r"(llm|strategy\.llms\.\w+)\.request\.|plain\.environment\.")


def key_of(word: str) -> str:
    """The key that a word sets, adds or deletes."""
    return word.partition("=")[0].lstrip("+~")


def as_text(word: str, sweeps: bool = False) -> str:
    """The word with its value in quotes where Hydra would take it for something else than that text: `experiment=1e3` is no
    number. `sweeps`: whether commas separate several values. What is in quotes or brackets already is left as it is."""
    key, equals, value = word.partition("=")
    if not equals or not PLAIN.fullmatch(value):
        return word
    pieces = value.split(",") if sweeps else [value]
    quoted = (f"'{piece}'" if {",", ">"} & set(piece) or NOT_TEXT.fullmatch(piece) else piece for piece in pieces)
    return f"{key}={','.join(quoted)}"


def prepared(arguments: Sequence[str], schema: type, sweeps: bool) -> list[str]:
    """A command line for Hydra: text values are taken literally, and no key is given twice. Options stay as they are.
    Raises UserError."""
    known = known_keys(schema)
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} if issubclass(schema, Config) else set()
    _refuse_options(arguments)
    _refuse_without_value(arguments, {*known, *groups})
    _refuse(argument for argument in arguments if not argument.startswith("-"))
    texts = {key for key, hint in known.items() if hint in (str, str | None)}
    return [_prepared(argument, texts, groups, sweeps) for argument in arguments]


def _prepared(word: str, texts: Set[str], groups: Set[str], sweeps: bool) -> str:
    """A group's value is the name of a file; Hydra would fail over `null`."""
    key = key_of(word)
    if key in groups and word == f"{key}=null":
        return f"{key}='null'"
    word = as_text(word, sweeps) if key in texts or key in groups else word
    if OPEN.match(f"{key}.") and word.startswith(key):
        word = f"++{word}"
    return word if word.startswith("-") or _readable(word) else _whole(word)


def _readable(word: str) -> bool:
    """Whether Hydra's grammar can read it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def _whole(word: str) -> str:
    """A word that Hydra cannot read, such as `folder=~/texts`, with its value in quotes, where that is one plain text."""
    key, equals, value = word.partition("=")
    return f"{key}='{value}'" if equals and PLAIN.fullmatch(value) and "," not in value else word


def changed(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The words with those values in place of theirs; what they lack is added at the end."""
    found = {key_of(word) for word in words}
    kept = [f"{key_of(word)}={values[key_of(word)]}" if key_of(word) in values else word for word in words]
    return [*kept, *(f"{key}={value}" for key, value in values.items() if key not in found)]


def _refuse_options(arguments: Sequence[str]) -> None:
    """Raises UserError for a setting with dashes: a command's settings have none."""
    for word in arguments:
        name, equals, _ = word.removeprefix("--").partition("=")
        if word.startswith("--") and name not in OPTIONS:
            bare = word.removeprefix("--")
            raise UserError(f"{word}: settings have no dashes; give it as {bare if equals else f'{bare}=...'}")


def _refuse_without_value(arguments: Sequence[str], known: Set[str]) -> None:
    """Raises UserError for a word that is a value without its key, or a key whose value is the next word."""
    before = ""
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        plain = not word.startswith(("-", "+", "~")) and "=" not in word and not before.startswith("-")
        before = word
        if not plain or not word:
            continue
        if word not in known and re.fullmatch(r"[\w-]+", word):
            raise UserError(f"{word}: is not a key; did you mean experiment={word}? Give settings as key=value")
        if word in known and following and re.fullmatch(r"[\w.,-]+", following) and not following.startswith("-"):
            raise UserError(f"{word}: has no value; give it as {word}={following}")


def _refuse(words: Iterable[str]) -> None:
    seen = set()
    for word in words:
        key = key_of(word)
        if not key:
            raise UserError(f"{word}: has no key; give it as key=value")
        if key in seen:
            raise UserError(f"{key}: is given twice; give it only once")
        seen.add(key)
