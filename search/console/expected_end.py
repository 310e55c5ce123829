"""Predicts when a study will end, as far as that can be known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import mean

from search.config.messages import many
from search.config.schema import BudgetConfig, StudyConfig
from search.page.numbers import duration
from search.study.budget import proposed, train_hours
from search.study.journal import Entry


def expected_end(study: StudyConfig, budget: BudgetConfig, entries: Sequence[Entry], now: datetime) -> str | None:
    """A line from what the finished trials took, and how many run at once; before the first one from the budget of a
    training run, where that is in seconds, and then the earliest end. None if nothing says when, or nothing is left."""
    train_seconds = mean(entry.trial.outcome.train_seconds for entry in entries) if entries else budget.seconds
    if train_seconds is None:
        return None
    left = _trials_left(study, entries, train_seconds)
    if not left:
        return None
    if not entries:
        earliest = _moment(left * train_seconds / study.parallel, now)
        return f"{many(left, 'trial')} of {duration(train_seconds)} and more: ends {earliest} at the earliest"
    one_by_one = study.parallel == 1 and study.ahead == 0
    seconds = mean(_seconds(entry, one_by_one) for entry in entries)
    moment = _moment(left * seconds / study.parallel, now)
    return f"{many(left, 'more trial')} of about {duration(seconds)}: ends about {moment}"


def _trials_left(study: StudyConfig, entries: Sequence[Entry], train_seconds: float) -> int | None:
    """The anchors too; None if neither trials nor hours limit them. What dollars buy is not known beforehand."""
    history = [entry.trial for entry in entries]
    limits = []
    if study.trials is not None:
        limits.append(max(0, study.trials - proposed(history)))
    if study.train_hours is not None and train_seconds > 0:
        limits.append(max(0, math.ceil(3600 * (study.train_hours - train_hours(history)) / train_seconds)))
    if not limits:
        return None
    return min(limits) + (min(limits) // study.anchor_every if study.anchor_every else 0)


def _seconds(entry: Entry, one_by_one: bool) -> float:
    """What a trial took, including the strategy's wait for an LLM if nothing else runs meanwhile."""
    cost = entry.trial.answer.cost
    return entry.finished - entry.started + (cost.seconds if cost is not None and one_by_one else 0.0)


def _moment(seconds: float, now: datetime) -> str:
    then = now + timedelta(seconds=seconds)
    days = (then.date() - now.date()).days
    day = {0: "", 1: " tomorrow"}.get(days, f" on {then:%a %d %b}")
    return f"{then:%H:%M}{day}"
