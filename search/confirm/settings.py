"""Combines what a confirmation is asked to do now with what was fixed when it began."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from search.config.commands import ConfirmConfig
from search.config.messages import UserError
from search.config.schema import BudgetConfig

REPEATS = 5  # of a first confirmation, if repeats= is not given
STOCK_RUNS = 3  # of the stock in a block: every winner is compared with it, so its noise is in every gain


@dataclass(frozen=True)
class Settings:
    """Keys of conf/confirm.yaml, all of them decided. `order_seed`: every order of training is drawn from it."""

    repeats: int
    top: int
    looks: int
    stock_runs: int
    at: list[int]
    order_seed: int
    ablate: bool = False


def first_settings(asked: ConfirmConfig, budget: BudgetConfig) -> Settings:
    """Returns the settings of a confirmation that begins. `budget`: of a training run."""
    # A budget of tokens ends after the same step each time: with the same training seed, a second run repeats the first.
    runs = STOCK_RUNS if budget.seconds is not None else 1
    return Settings(
        repeats=asked.repeats or REPEATS,
        top=asked.top or 1,
        looks=asked.looks or 1,
        stock_runs=asked.stock_runs or runs,
        at=sorted({*(asked.at or ())}),
        order_seed=secrets.randbits(32),  # from the system, so that nobody can choose an order
        ablate=bool(asked.ablate),
    )


def later_settings(asked: ConfirmConfig, before: Settings) -> Settings:
    """Returns the settings of a confirmation that continues. What is not asked for stays. Repeats, budgets and ablation can
    only be added. Raises UserError if a plan would be cut short, or if something fixed would change.
    """
    if asked.repeats is not None and asked.repeats < before.repeats:
        raise UserError(
            f"repeats={asked.repeats}: this confirmation was planned with {before.repeats}, and who can stop early can "
            f"choose the result.\nGive repeats={before.repeats} or more"
        )
    for key, now, then in (("looks", asked.looks, before.looks), ("stock_runs", asked.stock_runs, before.stock_runs)):
        if now not in (None, then):
            raise UserError(
                f"{key}={now}: this confirmation began with {key}={then}, which was fixed before its results were known.\n"
                f"Leave {key}= out; you may still add repeats= and studies"
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
