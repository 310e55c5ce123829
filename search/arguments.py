"""The command line of a command that runs no single study: `key=value` arguments into a dataclass of its settings.

@dataclass
class Settings:
    experiment: str = default_of("experiment", "MLflow's experiment")
    repeats: int = setting(5, "trainings of each program")

sys.exit(arguments.run(Settings, main, __doc__, "stopped"))
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from omegaconf import MISSING as UNSET
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from search import exits
from search.config import describe
from search.errors import UserError
from search.explain import known_keys, unknown_key
from search.paths import CONF

T = TypeVar("T")

HELP = ("-h", "--help")
NOTHING = "null"  # as Hydra's command lines and YAML write None
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
WIDTH = 110  # of the help text


def setting(default: Any, about: str) -> Any:
    """A field of a settings dataclass. `default`: `omegaconf.MISSING` where it must be given."""
    return field(default=default, metadata={"about": about})


def default_of(key: str, about: str) -> Any:
    """A field whose default stands in conf/config.yaml, under `key`."""
    return field(default_factory=lambda: OmegaConf.select(_configuration(), key), metadata={"about": about})


@dataclass
class Tracking:
    """For settings that are called `tracking.uri`, as in conf/."""

    uri: str = default_of("tracking.uri", "the MLflow database or server that holds the studies")


def run(schema: type[T], main: Callable[[T], None], about: str | None, stopped: str) -> int:
    """Call `main` with the settings of this process's command line; returns the exit code. `about`: for `--help`, the
    module's docstring. `stopped`: what to say after Ctrl-C."""
    arguments = sys.argv[1:]
    if any(argument in HELP for argument in arguments):
        print(help_text(schema, about or ""))
        return 0
    try:
        main(parse(schema, arguments))
    except KeyboardInterrupt:
        return exits.interrupted(stopped)
    except UserError as error:
        return exits.failed(str(error))
    return 0


def parse(schema: type[T], arguments: Sequence[str]) -> T:
    """The settings that `key=value` arguments give. Raises UserError naming the key, the value and the remedy."""
    config = OmegaConf.structured(schema)
    given: set[str] = set()
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in _leaves(schema):
            raise UserError(unknown_key(key, known_keys(schema), f"--help shows all {'keys' if equals else 'settings'}"))
        if not equals:
            raise UserError(f"{argument}: has no value; give it as {argument}=...")
        if key in given:
            raise UserError(f"{key}: is given twice; give it once")
        given.add(key)
        _set(config, key, value, _leaves(schema)[key])
    try:
        settings = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise UserError(describe(error)) from error
    assert isinstance(settings, schema)
    return settings


def help_text(schema: type, about: str) -> str:
    """What a command does, and its settings with their defaults."""
    settings = list(_settings(schema))
    width = max(len(name) for name, _ in settings) + 2
    lines = [about.strip(), "", "Settings (key=value):", ""]
    for name, words in settings:
        first, *more = textwrap.wrap(words, WIDTH - width - 2)
        lines += [f"  {name:<{width}}{first}", *(" " * (width + 2) + line for line in more)]
    return "\n".join(lines)


def _set(config: DictConfig, key: str, value: str, kind: Any) -> None:
    """Values are taken as they are written: an experiment may be called 007."""
    try:
        OmegaConf.update(config, key, None if value == NOTHING else value)
    except ValidationError as error:
        expected = next((words for plain, words in KINDS.items() if kind in (plain, plain | None)), "given")
        raise UserError(f"{key}={value}: must be {expected}") from error


def _leaves(schema: type, prefix: str = "") -> dict[str, Any]:
    """Every key that takes a value, with its type."""
    leaves: dict[str, Any] = {}
    for name, kind in get_type_hints(schema).items():
        nested = isinstance(kind, type) and is_dataclass(kind)
        leaves |= _leaves(kind, f"{prefix}{name}.") if nested else {f"{prefix}{name}": kind}
    return leaves


def _settings(schema: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """`key=default`, and what it means."""
    kinds = get_type_hints(schema)
    for item in fields(schema):
        kind = kinds[item.name]
        if isinstance(kind, type) and is_dataclass(kind):
            yield from _settings(kind, f"{prefix}{item.name}.")
            continue
        default = item.default if item.default_factory is MISSING else item.default_factory()
        shown = "..." if default is UNSET else NOTHING if default is None else str(default)
        yield f"{prefix}{item.name}={shown}", item.metadata["about"]


@cache
def _configuration() -> DictConfig:
    config = OmegaConf.load(CONF / "config.yaml")
    assert isinstance(config, DictConfig)
    return config
