"""What every provider of replies has in common. A provider is a class with `complete` in a file like these, and a YAML
file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Reply:
    """What came back. Token counts are None where the server did not say."""

    text: str
    finish_reason: str
    model: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Call:
    """A reply, and the hash of the program.md that was read for it: a human may have changed it since."""

    reply: Reply
    program_md: str


class Exhausted(Exception):
    """There is no reply left to give."""


class Client(Protocol):
    """`ask` counts the proposals of a study, `call` the calls for one of them (0: the proposal, later ones: its repairs)."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        """Raises Exhausted, and UserError where no reply can be had: the study then stops, and resumes from there."""
        ...
