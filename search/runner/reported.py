"""What a training process says of itself: checked, since its code is untrusted, and believed no further than its shape."""

from __future__ import annotations

from collections.abc import Mapping

from search.study.trial import one_line
from search.task.protocol import FACT_NAME, MOST_FACTS, Message, ProtocolError

LARGEST_NUMBER = 1e18  # that a process may report of itself

Facts = dict[str, str | float]


def number(message: Message, key: str) -> float:
    """A finite number from untrusted code. Raises ProtocolError."""
    return _finite(message.get(key), f"{one_line(message['event'])}.{key}")


def described(message: Message, known: Mapping[str, str | float]) -> Facts:
    """`known` facts and those of a `described` message; a name said again has its last value. Raises ProtocolError."""
    said = message.get("facts")
    if not isinstance(said, dict):
        raise ProtocolError("described.facts is not a table of names and values")
    facts = {**known, **{_name(name): _fact(name, value) for name, value in said.items()}}
    if len(facts) > MOST_FACTS:
        raise ProtocolError(f"described.facts: more than {MOST_FACTS} names")
    return facts


def _name(name: str) -> str:
    if FACT_NAME.fullmatch(name) is None:
        raise ProtocolError(f"described.facts: {one_line(name)!r} is no name")
    return name


def _fact(name: str, value: object) -> str | float:
    return one_line(value) if isinstance(value, str) else _finite(value, f"described.{name}")


def _finite(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_NUMBER:
        raise ProtocolError(f"{what} is {one_line(repr(value))}, not a number")
    return value
