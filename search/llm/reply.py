"""What all providers of replies have in common. A provider is a class with `complete` and `check` in a file of its own,
and a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from search.config.messages import UserError

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Reply:
    """What came back. Token counts and dollars are None if the server did not say. `tokens_cached`: a part of
    `tokens_in`. `tokens_reasoning`: a part of `tokens_out`.

    `reasoning`: what the server gave apart from the text as the model's thinking; never read for an edit. `refusal`:
    the model's words if it declined. `tools`: names of the tools that it wanted to call.
    """

    text: str
    finish_reason: str
    model: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    seconds: float = 0.0
    reasoning: str = ""
    refusal: str = ""
    tools: str = ""
    tokens_reasoning: int | None = None
    usd: float | None = None

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Call:
    """A reply, and the hash of the program.md that was read for it: a human may have changed it since. Empty: none was."""

    reply: Reply
    program_md: str


class Exhausted(Exception):
    """There is no reply left to give."""


class Refused(UserError):
    """The server rejects this prompt: another one may work, but the same one never will."""


class Unavailable(Exception):
    """There is no reply now, but there may be one later. `server`: who was asked. `after`: seconds that it asks to
    wait."""

    def __init__(self, server: str, words: str, after: float | None = None) -> None:
        super().__init__(words)
        self.server = server
        self.after = after


class Client(Protocol):
    """`ask` counts the proposals of a study, `call` the calls for one of them (0: the proposal, later ones: its repairs).

    Both functions raise UserError where no reply can be had (the study then stops, and resumes from there), and
    Unavailable where one may be had later, for which `patience_minutes` are waited.
    """

    @property
    def patience_minutes(self) -> float: ...

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        """Raises also Exhausted, and Refused where the server does not take the messages."""
        ...

    def check(self) -> None:
        """Find out cheaply whether replies can be had, before anything is trained."""
        ...
