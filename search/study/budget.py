"""What a study may spend, and what it has spent: trials, training hours and dollars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from search.config.messages import many
from search.config.schema import BudgetConfig, StudyConfig
from search.study.schedule import Asked
from search.study.trial import Origin, Trial

N = TypeVar("N", int, float)


@dataclass
class Used:
    """What the trials that have ended used, added up as they end: a study asks for it several times per trial, and summing
    10,000 trials takes milliseconds. `trials`: those that count. `paid`: those with a cost, such as an LLM's replies."""

    trials: int = 0
    train_seconds: float = 0.0
    paid: list[Trial] = field(default_factory=list)

    @classmethod
    def by(cls, history: Iterable[Trial]) -> Used:
        used = cls()
        for trial in history:
            used.add(trial)
        return used

    def add(self, trial: Trial) -> None:
        self.trials += proposed([trial])
        self.train_seconds += trial.outcome.train_seconds
        if trial.answer.cost is not None:
            self.paid.append(trial)


@dataclass(frozen=True)
class Budget:
    """What a study may spend. Anchors cost hours, and do not count as trials."""

    limits: StudyConfig

    def spent(self, used: Used, pending: Collection[Asked] = ()) -> str | None:
        """Why no more trials are asked for, or None. Trials and dollars count when a trial is asked for, training hours
        when it ends."""
        trials, hours = used.trials + proposed(pending), used.train_seconds / 3600
        if self.limits.trials is not None and trials >= self.limits.trials:
            more = trials > self.limits.trials  # it was run with a larger budget before
            return (
                f"{trials} trials are done, and study.trials={self.limits.trials}"
                if more
                else f"all {trials} trials are done"
            )
        if self.limits.usd is not None:
            usd = dollars([*used.paid, *pending])
            if usd is None:
                return "study.usd is set, but the cost of the last replies is unknown: the server does not count tokens"
            if usd >= self.limits.usd:
                return f"{usd:.4g} of {self.limits.usd:g} dollars are used up"
        if self.limits.train_hours is not None and hours >= self.limits.train_hours:
            return f"{hours:.2f} of {self.limits.train_hours:g} training hours are used up"
        return None

    def left(self, used: Used, pending: Collection[Asked] = ()) -> str:
        """What is left, in words."""
        parts = []
        if self.limits.trials is not None:
            parts.append(many(max(0, self.limits.trials - used.trials - proposed(pending)), "trial"))
        if self.limits.train_hours is not None:
            parts.append(f"{max(0.0, self.limits.train_hours - used.train_seconds / 3600):.2f} h")
        if self.limits.usd is not None:
            parts.append(f"${max(0.0, self.limits.usd - (dollars([*used.paid, *pending]) or 0.0)):.2f}")
        return " or ".join(parts)


def trials_left(limits: StudyConfig, history: Sequence[Trial], pending: int) -> int | None:
    """About how many more trials a study may ask for, this one among them; None if nothing limits it. Hours and dollars
    are converted into trials at the mean cost so far. `pending`: trials that are asked for and not told."""
    done = proposed(history)
    left = [] if limits.trials is None else [limits.trials - done - pending]
    hours, usd = train_hours(list(history)), dollars(list(history))
    for limit, spent in ((limits.train_hours, hours), (limits.usd, usd)):
        if limit is not None and spent:
            left.append(round((limit - spent) / (spent / max(1, done))) - pending)
    return max(1, min(left)) if left else None


def budget_in_words(budget: BudgetConfig) -> str:
    """What one training run may spend."""
    if budget.seconds is not None:
        return f"{budget.seconds:g} seconds of training"
    return f"{budget.tokens:,} tokens of training"


def proposed(trials: Iterable[Trial | Asked]) -> int:
    """Trials that count against the budget: all but the anchors."""
    return sum(trial.origin is not Origin.ANCHOR for trial in trials)


def train_hours(history: list[Trial]) -> float:
    """Training hours used, including those of failed trials."""
    return sum(trial.outcome.train_seconds for trial in history) / 3600


def dollars(trials: Iterable[Trial | Asked]) -> float | None:
    """LLM dollars used, or None if a price is unknown."""
    return known_total(trial.answer.cost.usd for trial in trials if trial.answer.cost is not None)


def replies_in_words(trials: Iterable[Trial | Asked]) -> str:
    """What an LLM's replies have taken: tokens and dollars; empty if they took nothing."""
    costs = [trial.answer.cost for trial in trials if trial.answer.cost is not None]
    if all(cost.tokens_in == cost.tokens_out == 0 for cost in costs):  # a playbook's replies, or none at all
        return ""
    totals = {
        "tokens in": known_total([cost.tokens_in for cost in costs]),
        "out": known_total([cost.tokens_out for cost in costs]),
    }
    counted = [f"{total:,} {name}" for name, total in totals.items() if total is not None]
    usd = known_total([cost.usd for cost in costs])
    return ", ".join([*(counted or ["uncounted tokens"]), "dollars unknown" if usd is None else f"${usd:.2f}"])


def known_total(values: Iterable[N | None]) -> N | None:
    """The sum, or None if one of the values is not known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None
