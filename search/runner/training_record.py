"""Collects what becomes known about a training run. Its code is untrusted, so whatever the process reports about itself
is checked for its form only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from search.runner.device.telemetry import Telemetry
from search.study.prune import Rule
from search.study.trial import LossPoint, Outcome, Status, one_line
from search.task.protocol import FACT_NAME, MOST_FACTS, Message, ProtocolError

MOST_LOSSES = 200  # points of the loss curve that are kept
LOG_TAIL = 4_000  # characters of the output that an outcome carries
LARGEST_NUMBER = 1e18  # that a process may report of itself

Facts = dict[str, str | float]


@dataclass
class Training:
    """What is known of one training run. `failure` is None if weights were handed in, in time."""

    telemetry: Telemetry
    prune: Rule | None = None
    failure: Status | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    train_seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    peak_memory_mb: float = 0.0
    dropped_share: float = 0.0
    losses: list[LossPoint] = field(default_factory=list)
    described: Facts = field(default_factory=dict)
    log: str = ""
    pruned_at: float | None = None
    raised: bool = False  # whether it ended with an error that its log shows

    def fail(self, status: Status, reason: str) -> None:
        self.failure, self.reason = status, one_line(reason)

    def fail_for_memory(self, peak_mb: float, reason: str) -> None:
        self.fail(Status.OUT_OF_MEMORY, reason)
        self.peak_memory_mb = peak_mb

    def conclude(self, log: str) -> None:
        """Take over what was printed, and complete the reason from the log and the memory."""
        self.log = log
        if self.raised:
            self.reason = _last_line(log) or self.reason
        if self.failure is Status.OUT_OF_MEMORY:
            said = self.reason.removeprefix("torch.OutOfMemoryError: ")
            self.reason = one_line(f"out of memory at {self.peak_memory_mb / 1024:.1f} GB: {said}")

    def facts(self) -> dict[str, Any]:
        """What an outcome takes over: the fields of its own names."""
        names = {item.name for item in fields(Outcome)}
        return {
            **{name: value for name, value in vars(self).items() if name in names},
            "train_seconds": round(self.train_seconds, 3),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            "losses": tuple(self.losses),
            "log_tail": self.log[-LOG_TAIL:],
            "telemetry": self.telemetry.summary(),
        }

    def learn(self, message: Message) -> None:
        """Take over what the process reports of itself. Raises ProtocolError for anything but finite numbers."""
        self.steps = int(number(message, "steps"))
        self.tokens = int(number(message, "tokens"))
        self.peak_memory_mb = number(message, "peak_memory_mb")

    def take_submission(self, message: Message) -> None:
        """Take over what it says when it hands in. Raises ProtocolError."""
        self.learn(message)
        self.dropped_share = number(message, "dropped_share")

    def take_description(self, message: Message) -> None:
        """Take over what the program says of itself in words and numbers. Raises ProtocolError."""
        self.described = described(message, self.described)

    def add_loss(self, seconds: float, loss: float) -> None:
        """Note a loss. Training fails where it is hopeless by the rule of `prune`."""
        self.losses.append(LossPoint(round(seconds, 3), self.tokens, round(loss, 6)))
        if len(self.losses) > 2 * MOST_LOSSES:
            self.losses = self.losses[::2]
        pruned = None if self.prune is None else self.prune.judge(self.losses)
        if pruned is not None:
            self.pruned_at = round(pruned.share, 3)
            self.fail(Status.PRUNED, pruned.reason)


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def number(message: Message, key: str) -> float:
    """A finite number from untrusted code. Raises ProtocolError."""
    return _finite(message.get(key), f"{one_line(message['event'])}.{key}")


def described(message: Message, known: Mapping[str, str | float]) -> Facts:
    """`known` facts and those of a `described` message; a name said again has its last value. Raises ProtocolError."""
    said = message.get("facts")
    if not isinstance(said, dict):
        raise ProtocolError("described.facts is not a mapping of names to values")
    facts = {**known, **{_name(name): _fact(name, value) for name, value in said.items()}}
    if len(facts) > MOST_FACTS:
        raise ProtocolError(f"described.facts: more than {MOST_FACTS} names")
    return facts


def _name(name: str) -> str:
    if FACT_NAME.fullmatch(name) is None:
        raise ProtocolError(f"described.facts: {one_line(name)!r} is not a name")
    return name


def _fact(name: str, value: object) -> str | float:
    return one_line(value) if isinstance(value, str) else _finite(value, f"described.{name}")


def _finite(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_NUMBER:
        raise ProtocolError(f"{what} is {one_line(repr(value))}, not a number")
    return value
