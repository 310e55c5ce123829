"""The values a study is made of. They are frozen, and impossible ones cannot be constructed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from search.study.plain import plain

LINE = 200  # characters of a reason or a note on one line


def one_line(text: str) -> str:
    """Text that a candidate or an LLM wrote, as one line of at most LINE characters without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)[:LINE].strip()


class Status(StrEnum):
    """How a trial ended. Only `completed` has a score."""

    COMPLETED = "completed"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DIVERGED = "diverged"
    UNUSABLE = "unusable"  # nothing to train
    DISQUALIFIED = "disqualified"  # trained, and failed the audit or a limit
    PRUNED = "pruned"  # ended early, as `study.prune` says


class Origin(StrEnum):
    """Who asked for a trial."""

    STOCK = "stock"  # the study, to begin with
    STRATEGY = "strategy"
    ANCHOR = "anchor"  # the study, to see whether the machine has drifted


@dataclass(frozen=True)
class Cost:
    """What an answer cost besides device time. `usd` and token counts are None if they are unknown, never 0.

    `seconds`: spent waiting for an LLM. `tokens_cached`: of `tokens_in`, those that were cheaper. `tokens_reasoning`: of
    `tokens_out`, those that were no part of a text.
    """

    usd: float | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    seconds: float
    calls: int
    tokens_reasoning: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A complete `train.py`, and where it came from.

    `replicate` numbers the training runs of one program; the harness turns it into a training seed. `params` are the
    constants that a tuner set, `note` is one line in words. `facts`: short texts that the strategy wants on record.
    `merged`: further trials whose programs went into it, besides the parent's. Parameters and facts are kept as JSON
    brings them back: lists for tuples, Python's numbers for NumPy's. Raises ValueError for what cannot be recorded.
    """

    source: str
    replicate: int = 0
    parent: int | None = None
    params: dict[str, Any] | None = None
    note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    merged: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.replicate < 0:
            raise ValueError(f"replicate must not be negative, got {self.replicate}")
        if "\n" in self.note:
            raise ValueError("a note is one line")
        self.source.encode()
        object.__setattr__(self, "params", plain(self.params))
        object.__setattr__(self, "facts", plain(self.facts))
        object.__setattr__(self, "merged", tuple(self.merged))  # a list in JSON

    @property
    def parents(self) -> tuple[int, ...]:
        """The trials that it was made from; its change is described relative to the first."""
        return (*(() if self.parent is None else (self.parent,)), *self.merged)

    @property
    def source_hash(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()


@dataclass(frozen=True)
class Unusable:
    """An answer that is not a program. It is recorded as a trial of that status, and costs no device time."""

    reason: str
    note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None


@dataclass(frozen=True)
class LossPoint:
    """Training loss (nats per token) at a moment of a trial."""

    seconds: float
    tokens: int
    loss: float


@dataclass(frozen=True)
class Outcome:
    """The outcome of a candidate.

    `val_bpb`: validation bits per byte, for completed trials only; `val_nats`: the same as nats per token;
    `confirmation_bpb`: bits per byte of the confirmation split, where that was scored (never for a strategy).
    `audited`: whether the claim was challenged; an unaudited trial cannot win. `reason`: one line for every status but
    completed. `seconds`: by phase. `train_seconds`: what the trial costs the study's budget. `tokens`, `steps`,
    `peak_memory_mb`, `losses`, `dropped_share`: as the training process reported them, for information. `log_tail`: the
    end of what training printed. `field_bpb`: validation by the field's count of bytes, only for comparison with
    published numbers. `audit_sd`, `audit_max`: how far the challenged answers were from the claims, in nats; None if
    none were challenged. `telemetry`: what the device did during training (see `search.runner.device.telemetry`).
    `probe_before`, `probe_after`: how fast the device was around it, in GFLOP/s of the harness's own fixed work; None
    if it was not measured. `spent`: what no budget counts: `startup`, `startup_beyond` (the part that was taken off the
    budget), `ready` and `answers` (of scoring), in seconds of processor time on a CPU and of wall clock elsewhere, and
    `weights_mb`; and `not_in_memory_mb`, of what candidates can read. `pruned_at`: the share of the budget at which a
    pruned trial was ended. `described`: what the program reports about itself, for information only. `wait_seconds`:
    the wait for a free device, which no phase and no budget counts.
    """

    status: Status
    val_bpb: float | None = None
    val_nats: float | None = None
    confirmation_bpb: float | None = None
    audited: bool = False
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    train_seconds: float = 0.0
    tokens: int = 0
    steps: int = 0
    peak_memory_mb: float = 0.0
    dropped_share: float = 0.0
    losses: tuple[LossPoint, ...] = ()
    log_tail: str = ""
    device: str = ""
    field_bpb: float | None = None
    audit_sd: float | None = None
    audit_max: float | None = None
    telemetry: dict[str, float] = field(default_factory=dict)
    described: dict[str, str | float] = field(default_factory=dict)
    probe_before: float | None = None
    probe_after: float | None = None
    spent: dict[str, float] = field(default_factory=dict)
    wait_seconds: float = 0.0
    pruned_at: float | None = None

    def __post_init__(self) -> None:
        if self.status is Status.COMPLETED:
            if self.val_bpb is None or not math.isfinite(self.val_bpb):
                raise ValueError(f"a completed trial needs a finite val_bpb, got {self.val_bpb}")
        else:
            scores = (self.val_bpb, self.confirmation_bpb, self.field_bpb)
            if any(score is not None for score in scores):
                raise ValueError(f"a trial that is {self.status} cannot have a score, got {scores}")
            if not self.reason:
                raise ValueError(f"a trial that is {self.status} needs a reason")

    @property
    def tokens_per_second(self) -> float | None:
        """The speed of the training run, where it trained on anything."""
        return self.tokens / self.train_seconds if self.tokens and self.train_seconds > 0 else None

    def record(self) -> dict[str, Any]:
        """As JSON values, for the journal."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Outcome:
        losses = tuple(LossPoint(**point) for point in record["losses"])
        return cls(**{**record, "status": Status(record["status"]), "losses": losses})


@dataclass(frozen=True)
class Trial:
    """One answer of a strategy (or the stock), trained and scored where it was a program.

    `duplicate_of`: the number of the earlier trial that already trained this program with this seed, and whose outcome
    this is. Only the strategy is told about such a trial: it is in no history.
    """

    number: int
    origin: Origin
    answer: Candidate | Unusable
    outcome: Outcome
    duplicate_of: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.answer, Unusable) and self.outcome.status is not Status.UNUSABLE:
            raise ValueError(f"a trial that is {self.outcome.status} needs a candidate")

    @property
    def candidate(self) -> Candidate | None:
        """The program, where there is one."""
        return self.answer if isinstance(self.answer, Candidate) else None

    @property
    def status(self) -> Status:
        return self.outcome.status

    @property
    def val_bpb(self) -> float | None:
        return self.outcome.val_bpb

    @property
    def score(self) -> float | None:
        """The val_bpb, where it may win: completed, audited and not an anchor."""
        return self.outcome.val_bpb if self.outcome.audited and self.origin is not Origin.ANCHOR else None


@dataclass(frozen=True)
class Verdict:
    """A strategy's verdict on a trial. `reason`: of a trial with a score, it holds that score or a difference."""

    kept: bool
    reason: str
