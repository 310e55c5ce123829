"""What every prompt tells of the text, of the study's budget and of training runs, whichever strategy asks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.config.messages import many
from search.strategy import Outcome, TaskFacts
from search.study.losses import loss_at

QUARTERS = (0.25, 0.5, 0.75, 1.0)  # of what was trained
AT_QUARTERS = "at 25/50/75/100 %"


def about_text(task: TaskFacts, tokens: int) -> str:
    """What the text is, and how much of it a training run reads. `tokens`: that a training run of this task read, which is
    used where the budget is of time; 0 if none is known."""
    words = task.text
    if task.bytes_per_token is not None:
        words += f". A token is {task.bytes_per_token:.2f} bytes of the scored text: 0.01 bits per byte are "
        words += f"{0.01 * task.bytes_per_token * math.log(2):.4f} nats per token"
    read = task.budget_tokens or tokens
    if task.training_tokens is not None:
        words += f". {task.training_tokens:,} training tokens"
        words += f", of which a training run reads {_share(read / task.training_tokens)}" if read else ""
    return words + "."


def standing(ended: int, left: int | None) -> str:
    """How far a study is. `ended`: trials after the stock. `left`: with this one; None if nothing limits it."""
    of = "" if left is None else f", and about {left} are left with this one"
    return f"{many(ended, 'trial')} ended since the stock{of}."


def loss_curve(outcome: Outcome, shares: Sequence[float] = QUARTERS) -> str:
    """Training loss in nats per token at some shares of what was trained, such as `5.307 / 4.603 / 4.391 / 4.328`; empty
    if none was reported."""
    last = outcome.losses[-1].tokens if outcome.losses else 0
    places = [loss_at(outcome.losses, share * last) for share in shares]
    return " / ".join("?" if place is None else f"{place.loss:.3f}" for place in places) if any(places) else ""


def _share(times: float) -> str:
    return f"{100 * times:.3g} %" if times <= 1 else f"all, {times:.3g} times over"
