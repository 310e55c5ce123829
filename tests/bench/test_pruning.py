"""A replay says what pruning would have done."""

from __future__ import annotations

import pytest

from search.bench.pruning import Replay, replay
from search.config.schema import BudgetConfig
from search.study.journal import Entry
from search.study.trial import Candidate, LossPoint, Origin, Outcome, Status, Trial, Verdict

BUDGET = BudgetConfig(seconds=100.0)


def entry(number, above, val_bpb):
    losses = tuple(LossPoint(float(at), at, 3.0 + above) for at in range(1, 101))
    outcome = Outcome(Status.COMPLETED, val_bpb=val_bpb, audited=True, train_seconds=100.0, losses=losses)
    origin = Origin.STRATEGY if number else Origin.STOCK
    trial = Trial(number, origin, Candidate(f"LR = {number}\n"), outcome)
    return Entry(trial, 0, float(number), number + 0.5, Verdict(val_bpb < 2.0 or number == 0, ""))


def test_a_hopeless_trial_saves_the_rest_of_its_budget():
    entries = [entry(0, 0.0, 2.0), entry(1, 0.5, 2.5), entry(2, 0.1, 2.1)]
    assert replay(entries, BUDGET, 0.3) == Replay(trials=2, ended=1, saved=pytest.approx(0.2), records=0, winner=False)
    assert replay(entries, BUDGET, 0.6) == Replay(trials=2, ended=0, saved=0.0, records=0, winner=False)


def test_a_winner_that_would_have_been_ended_is_counted():
    """It learned late. What comes after it is held against the best that is left."""
    entries = [entry(0, 0.0, 2.0), entry(1, 0.5, 1.8), entry(2, 0.5, 1.9)]
    assert replay(entries, BUDGET, 0.3) == Replay(trials=2, ended=2, saved=pytest.approx(0.4), records=2, winner=True)
