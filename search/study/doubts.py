"""What stands out in a completed trial's numbers: a reason to look before believing it. Changes no score.

The thresholds are assumed, and wide: they are to show what an honest training hardly does, not to judge close calls.
"""

from __future__ import annotations

from search.config.schema import TaskConfig
from search.study.trial import Outcome, Status

LOSS_POINTS = 5  # the last reported ones, whose mean is the loss at the end
LOSS_GAP = 0.3  # nats per token by which validation may be better, against training, than it is for the stock
SPEED_FACTOR = 10.0  # times the stock's tokens per second
BUDGET_SHARE = 0.9  # of the budget, below which a training ended early


def doubts(outcome: Outcome, stock: Outcome, task: TaskConfig) -> tuple[str, ...]:
    """Names of what stands out in a completed trial; none for the others. `stock`: the study's first trial.

    `loss_gap`: validation is better than its own training loss says, by more than for the stock. `below_floor`: under
    task.plausible_bpb. `too_fast`: more tokens per second than a device could that gave the stock its speed. `ended_early`:
    it used less than its budget.
    """
    if outcome.status is not Status.COMPLETED or outcome.val_bpb is None:
        return ()
    found = []
    gap, usual = _loss_gap(outcome), _loss_gap(stock)
    if gap is not None and usual is not None and gap - usual > LOSS_GAP:
        found.append("loss_gap")
    if outcome.val_bpb < task.plausible_bpb:
        found.append("below_floor")
    speed, stock_speed = outcome.tokens_per_second, stock.tokens_per_second
    if speed is not None and stock_speed is not None and speed > SPEED_FACTOR * stock_speed:
        found.append("too_fast")
    seconds, tokens = task.budget.seconds, task.budget.tokens
    spent = outcome.train_seconds / seconds if seconds is not None else outcome.tokens / (tokens or 1)
    if spent < BUDGET_SHARE:
        found.append("ended_early")
    return tuple(found)


def _loss_gap(outcome: Outcome) -> float | None:
    """Training loss at the end minus validation loss, in nats per token; None where one of them is unknown."""
    if outcome.val_nats is None or not outcome.losses:
        return None
    last = [point.loss for point in outcome.losses[-LOSS_POINTS:]]
    return sum(last) / len(last) - outcome.val_nats
