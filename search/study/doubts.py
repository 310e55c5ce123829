"""What stands out in a completed trial's numbers: a reason to look before believing it. Changes no score.

The thresholds are assumed, and wide: they should show what an honest training run hardly ever does, not judge close
calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from search.config.schema import AllowanceConfig, TaskConfig
from search.study.losses import Mean, loss_at
from search.study.trial import Outcome, Status

LOSS_GAP = 0.3  # nats per token by which validation may be better, against training, than it is for the stock
ERRORS = 2.0  # standard errors by which it must be beyond that
SPEED_FACTOR = 10.0  # times the stock's tokens per second
NOT_IN_MEMORY_MB = 1.0  # a few pages may leave memory at any moment
BUDGET_SHARE = 0.9  # of the budget, below which a training run ended early

Doubt = Callable[[Outcome, Outcome, TaskConfig], bool]


def doubts(outcome: Outcome, stock: Outcome, task: TaskConfig) -> tuple[str, ...]:
    """Names of what stands out in a completed trial; none for the others. `stock`: the study's first trial."""
    if outcome.status is not Status.COMPLETED:
        return ()
    return tuple(name for name, is_so in DOUBTS.items() if is_so(outcome, stock, task))


def _loss_gap(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """Validation is better than its own training loss says, by more than for the stock."""
    gap, usual = _gap(outcome), _gap(stock)
    if gap is None or usual is None:
        return False
    return gap.loss - usual.loss - ERRORS * math.hypot(gap.error, usual.error) > LOSS_GAP


def _below_floor(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """Under `task.plausible_bpb`."""
    return outcome.val_bpb is not None and outcome.val_bpb < task.plausible_bpb


def _too_fast(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """More tokens per second than a device could that gave the stock its speed."""
    speed, usual = outcome.tokens_per_second, stock.tokens_per_second
    return speed is not None and usual is not None and speed > SPEED_FACTOR * usual


def _ended_early(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """It used less than its budget, or than what a long start-up left of it."""
    seconds, tokens = task.budget.seconds, task.budget.tokens
    if seconds is None:
        return outcome.tokens < BUDGET_SHARE * (tokens or 1)
    return outcome.train_seconds + outcome.spent.get("startup_beyond", 0.0) < BUDGET_SHARE * seconds


def _long_startup(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """Its start-up took more than half of what it may take beyond the stock's."""
    return _share_of(task.allowances.startup, "startup", outcome, stock) > 0.5


def _slow_to_score(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """Scoring took more than half of what it may take beyond the stock's."""
    return _share_of(task.allowances.answers, "answers", outcome, stock) > 0.5


def _read_from_disk(outcome: Outcome, stock: Outcome, task: TaskConfig) -> bool:
    """Not everything that candidates can read fitted into memory, so one process could signal to the next by what it
    read."""
    return outcome.spent.get("not_in_memory_mb", 0.0) > NOT_IN_MEMORY_MB


DOUBTS: dict[str, Doubt] = {
    "loss_gap": _loss_gap,
    "below_floor": _below_floor,
    "too_fast": _too_fast,
    "ended_early": _ended_early,
    "long_startup": _long_startup,
    "slow_to_score": _slow_to_score,
    "read_from_disk": _read_from_disk,
}


def _share_of(allowance: AllowanceConfig, name: str, outcome: Outcome, stock: Outcome) -> float:
    """The share that a program used of what it may spend beyond the stock; 0 if that is not known."""
    spent, usual = outcome.spent.get(name), stock.spent.get(name)
    most = allowance.most(usual)
    if spent is None or usual is None or most is None:
        return 0.0
    return (spent - usual) / (most - usual)


def _gap(outcome: Outcome) -> Mean | None:
    """Training loss at the end minus validation loss. None if one of them is unknown."""
    last = loss_at(outcome.losses, outcome.losses[-1].tokens) if outcome.losses else None
    return None if last is None or outcome.val_nats is None else Mean(last.loss - outcome.val_nats, last.error)
