"""What a confirmation is to do: what is asked for now, and what was fixed when it began."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from search.config.commands import ConfirmConfig
from search.config.messages import UserError
from search.config.schema import BudgetConfig

REPEATS = 5  # of a first confirmation that is not told how many
STOCK_RUNS = 3  # of the stock in a block: every winner is held against it, so that its noise would be in every gain


@dataclass(frozen=True)
class Settings:
    """Keys of conf/confirm.yaml, none of them left open. `order_seed`: all orders of training are drawn from it."""

    repeats: int
    top: int
    looks: int
    stock_runs: int
    at: list[int]
    order_seed: int
    ablate: bool = False


def first_settings(asked: ConfirmConfig, budget: BudgetConfig) -> Settings:
    """Those of a confirmation that begins. `budget`: of a training run."""
    # A budget of tokens ends after the same step each time: under one training seed a second run would be the first again.
    runs = STOCK_RUNS if budget.seconds is not None else 1
    return Settings(
        repeats=asked.repeats or REPEATS,
        top=asked.top or 1,
        looks=asked.looks or 1,
        stock_runs=asked.stock_runs or runs,
        at=sorted({*(asked.at or ())}),
        order_seed=secrets.randbits(32),  # from the system: nobody can choose an order that suits
        ablate=bool(asked.ablate),
    )


def later_settings(asked: ConfirmConfig, before: Settings) -> Settings:
    """Those of one that goes on: what is not asked for stays; repeats, budgets and ablation are only ever
    added.

    Raises UserError where that would cut a plan short, or change what is fixed.
    """
    if asked.repeats is not None and asked.repeats < before.repeats:
        raise UserError(
            f"repeats={asked.repeats}: this confirmation was planned with {before.repeats}, and a plan that is cut short "
            f"chooses its result.\nGive repeats={before.repeats} or more"
        )
    for key, now, then in (("looks", asked.looks, before.looks), ("stock_runs", asked.stock_runs, before.stock_runs)):
        if now not in (None, then):
            raise UserError(
                f"{key}={now}: this confirmation began with {key}={then}, which was fixed before its results were known.\n"
                f"Leave {key}= out; repeats= and further studies may still be added"
            )
    return Settings(
        repeats=asked.repeats or before.repeats,
        top=asked.top or before.top,
        looks=before.looks,
        stock_runs=before.stock_runs,
        at=sorted({*before.at, *(asked.at or ())}),
        order_seed=before.order_seed,
        ablate=before.ablate or bool(asked.ablate),
    )
