"""The parts of a command of the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Command(Generic[T]):
    """What a command is: `name` of its YAML in conf/, the typed `schema` of its keys, `check` of their values (raises
    UserError), and `body`. `stopped`: what to say after Ctrl-C. `multirun`: whether several may be given at once."""

    name: str
    schema: type[T]
    check: Callable[[T], None]
    body: Callable[[T], None]
    stopped: str
    multirun: bool = False
