"""Ends hopeless trials early: the rule of `study.prune`, over loss curves.

A trial is ended when its reported training loss lies more than a margin above both the stock's and the best trial's, at
the same share of the budget. The harness applies this rule to every strategy alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from search.config.schema import BudgetConfig
from search.study.schedule import Asked
from search.study.trial import Candidate, LossPoint, Origin, Trial

EARLIEST, LATEST = 0.4, 0.9  # share of the budget: before it curves still cross, after it there is nothing left to save
WINDOW = 0.1  # of the budget: single batches' losses are too noisy to compare
STOCK, BEST = "the stock's", "the best's"


@dataclass(frozen=True)
class Pruned:
    """A trial is to end at that `share` of its budget."""

    share: float
    reason: str


@dataclass(frozen=True)
class Rule:
    """What a trial is compared with. `margin`: in nats per token. `curves`: the losses of other trials, by whose they
    are."""

    margin: float
    budget: BudgetConfig
    curves: Mapping[str, Sequence[LossPoint]]

    def judge(self, losses: Sequence[LossPoint]) -> Pruned | None:
        """Whether to end a trial that has reported these losses so far."""
        share = self._share(losses[-1]) if losses else 0.0
        if not EARLIEST <= share <= LATEST:
            return None
        levels = {name: self._level(curve, share) for name, curve in self.curves.items()}
        known = {name: level for name, level in levels.items() if level is not None}
        own = self._level(losses, share)
        if own is None or not known or len(known) < len(levels):
            return None
        highest = max(known, key=lambda name: known[name])
        above = own - known[highest]
        if above <= self.margin:
            return None
        return Pruned(share, f"its loss at {100 * share:.0f} % of the budget was {above:.2f} nats above {highest}")

    def _level(self, losses: Sequence[LossPoint], share: float) -> float | None:
        """The mean loss just before that share of the budget; None if none was reported there."""
        return fmean(near) if (near := [p.loss for p in losses if share - WINDOW < self._share(p) <= share]) else None

    def _share(self, point: LossPoint) -> float:
        if self.budget.seconds is not None:
            return point.seconds / self.budget.seconds
        assert self.budget.tokens is not None
        return point.tokens / self.budget.tokens


@dataclass(frozen=True)
class Policy:
    """How a study ends hopeless trials. `margin`: in nats per token. `budget`: of a training run."""

    margin: float
    budget: BudgetConfig

    def rule(self, asked: Asked, history: Sequence[Trial], best: Trial | None) -> Rule | None:
        """What a trial is compared with; None for trials that always run to their end: the stock, anchors and
        replicates. The latest run of the stock counts, since the machine may have become slower. Since a trial must be
        worse than the stock, a best trial that reports too low a loss ends no other one.
        """
        stocks = [trial for trial in history if trial.number == 0 or trial.origin is Origin.ANCHOR]
        stocks = [trial for trial in stocks if trial.outcome.losses and trial.val_bpb is not None]
        is_replicate = isinstance(asked.answer, Candidate) and asked.answer.replicate > 0
        if asked.origin is not Origin.STRATEGY or is_replicate or not stocks:
            return None
        curves = {STOCK: stocks[-1].outcome.losses}
        if best is not None and best.number != 0 and best.outcome.losses:
            curves[BEST] = best.outcome.losses
        return Rule(self.margin, self.budget, curves)
