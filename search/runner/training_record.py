"""What becomes known of one training while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.runner.device.telemetry import Telemetry
from search.runner.reported import Facts, described, number
from search.study.trial import LossPoint, Status, one_line
from search.task.protocol import Message

MOST_LOSSES = 200  # points of the loss curve that are kept


@dataclass
class Training:
    """What is known of one training. `failure` is None where weights were handed in, in time."""

    telemetry: Telemetry
    failure: Status | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    train_seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    peak_memory_mb: float = 0.0
    dropped_share: float = 0.0
    losses: list[LossPoint] = field(default_factory=list)
    described: Facts = field(default_factory=dict)
    log: str = ""
    raised: bool = False  # whether it ended with an error that its log shows

    def fail(self, status: Status, reason: str) -> None:
        self.failure, self.reason = status, one_line(reason)

    def fail_for_memory(self, peak_mb: float, reason: str) -> None:
        self.fail(Status.OUT_OF_MEMORY, reason)
        self.peak_memory_mb = peak_mb

    def conclude(self, log: str) -> None:
        """Take over what was printed, and let the reason say what the log and the memory say."""
        self.log = log
        if self.raised:
            self.reason = _last_line(log) or self.reason
        if self.failure is Status.OUT_OF_MEMORY:
            said = self.reason.removeprefix("torch.OutOfMemoryError: ")
            self.reason = one_line(f"out of memory at {self.peak_memory_mb / 1024:.1f} GB: {said}")

    def learn(self, message: Message) -> None:
        """Take over what the process reports of itself. Raises ProtocolError for anything but finite numbers."""
        self.steps = int(number(message, "steps"))
        self.tokens = int(number(message, "tokens"))
        self.peak_memory_mb = number(message, "peak_memory_mb")

    def take_description(self, message: Message) -> None:
        """Take over what the program says of itself in words and numbers. Raises ProtocolError."""
        self.described = described(message, self.described)

    def add_loss(self, seconds: float, loss: float) -> None:
        self.losses.append(LossPoint(round(seconds, 3), self.tokens, round(loss, 6)))
        if len(self.losses) > 2 * MOST_LOSSES:
            self.losses = self.losses[::2]


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""
