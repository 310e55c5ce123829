"""The command line of a command that runs no single study: `key=value` arguments into a dataclass of its settings.

@dataclass
class Settings:
    experiment: str = default_of("experiment", "MLflow's experiment")
    repeats: int = setting(5, "trainings of each program", count)

sys.exit(arguments.run(Settings, main, __doc__, "stopped"))
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from omegaconf import MISSING as UNSET
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from search.config import messages
from search.config.messages import UserError
from search.config.places import CONF
from search.config.schema import describe
from search.console.explain import unknown_key

T = TypeVar("T")
Check = Callable[[Any], object]  # raises ValueError that says what a value must be

HELP = ("-h", "--help")
NOTHING = "null"  # as Hydra's command lines and YAML write None
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
WIDTH = 110  # of the help text


def setting(default: Any, about: str, check: Check | None = None) -> Any:
    """A field of a settings dataclass. `default`: `omegaconf.MISSING` where it must be given."""
    return field(default=default, metadata={"about": about, "check": check})


def default_of(key: str, about: str) -> Any:
    """A field whose default stands in conf/config.yaml, under `key`."""
    return field(default_factory=lambda: usual(key), metadata={"about": about, "check": None})


def usual(key: str) -> Any:
    """A default of conf/config.yaml."""
    return OmegaConf.select(_configuration(), key)


@dataclass
class Tracking:
    """For settings that are called `tracking.uri`, as in conf/."""

    uri: str = default_of("tracking.uri", "the MLflow database or server that holds the studies")


def run(
    schema: type[T], main: Callable[[T], None], about: str | None, stopped: str, given: Sequence[str] | None = None
) -> int:
    """Call `main` with the settings that are given, by default on this process's command line; returns the exit code.
    `about`: for `--help`, the module's docstring. `stopped`: what to say after Ctrl-C."""
    given = sys.argv[1:] if given is None else given
    if any(argument in HELP for argument in given):
        print(help_text(schema, about or ""))
        return 0
    try:
        main(parse(schema, given))
    except KeyboardInterrupt:
        return messages.interrupted(stopped)
    except UserError as error:
        return messages.failed(str(error))
    return 0


def parse(schema: type[T], arguments: Sequence[str]) -> T:
    """The settings that `key=value` arguments give. Raises UserError naming the key, the value and the remedy."""
    config, leaves = OmegaConf.structured(schema), _leaves(schema)
    given: set[str] = set()
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in leaves:
            raise UserError(unknown_key(key, list(leaves), "--help shows all keys"))
        if not equals:
            raise UserError(f"{argument}: has no value; give it as {argument}=...")
        if key in given:
            raise UserError(f"{key}: is given twice; give it once")
        given.add(key)
        _set(config, key, value, leaves[key])
    try:
        settings = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise UserError(describe(error)) from error
    assert isinstance(settings, schema)
    return settings


def positive(value: float) -> None:
    """A number above 0."""
    if not 0 < value < math.inf:
        raise ValueError("must be a number above 0")


def not_negative(value: float) -> None:
    """A number of 0 or more."""
    if not 0 <= value < math.inf:
        raise ValueError("must be 0 or more")


def count(value: int) -> None:
    """A whole number of 1 or more."""
    if value < 1:
        raise ValueError("must be a whole number above 0")


def share(value: float) -> None:
    """A number between 0 and 1, both left out."""
    if not 0 < value < 1:
        raise ValueError("must be above 0 and below 1")


def several(value: str) -> tuple[float, ...]:
    """Numbers above 0, with commas between them."""
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise ValueError("must be numbers with commas between them") from error
    for number in numbers:
        positive(number)
    return numbers


def help_text(schema: type, about: str) -> str:
    """What a command does, and its settings with their defaults."""
    named = {f"{key}={leaf.shown}": leaf.about for key, leaf in _leaves(schema).items()}
    width = max(map(len, named)) + 2
    lines = [about.strip(), "", "Settings (key=value):", ""]
    for name, words in named.items():
        first, *more = textwrap.wrap(words, WIDTH - width - 2)
        lines += [f"  {name:<{width}}{first}", *(" " * (width + 2) + line for line in more)]
    return "\n".join(lines)


@dataclass(frozen=True)
class Leaf:
    """What is known of one key. `shown`: its default, as it would be written."""

    kind: Any
    shown: str
    about: str
    check: Check | None


def _set(config: DictConfig, key: str, value: str, leaf: Leaf) -> None:
    """Values are taken as they are written: an experiment may be called 007."""
    try:
        OmegaConf.update(config, key, None if value == NOTHING else value)
    except ValidationError as error:
        expected = next((words for plain, words in KINDS.items() if leaf.kind in (plain, plain | None)), "given")
        raise UserError(f"{key}={value}: must be {expected}") from error
    if leaf.check is None or value == NOTHING:
        return
    try:
        leaf.check(OmegaConf.select(config, key))
    except ValueError as error:  # OmegaConf's own, of a reference to another key, has several lines
        raise UserError(f"{key}={value}: {str(error).splitlines()[0]}") from error


def _leaves(schema: type, prefix: str = "") -> dict[str, Leaf]:
    """Every key that takes a value."""
    kinds, leaves = get_type_hints(schema), {}
    for item in fields(schema):
        key, kind = f"{prefix}{item.name}", kinds[item.name]
        if isinstance(kind, type) and is_dataclass(kind):
            leaves.update(_leaves(kind, f"{key}."))
            continue
        default = item.default if item.default_factory is MISSING else item.default_factory()
        shown = "..." if default is UNSET else NOTHING if default is None else str(default)
        leaves[key] = Leaf(kind, shown, item.metadata["about"], item.metadata["check"])
    return leaves


@cache
def _configuration() -> DictConfig:
    config = OmegaConf.load(CONF / "config.yaml")
    assert isinstance(config, DictConfig)
    return config
