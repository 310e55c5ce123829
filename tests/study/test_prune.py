"""Hopeless trials end early, by a rule of the harness's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.config.schema import BudgetConfig, StudyConfig
from search.executor.drive import drive
from search.study.budget import Budget
from search.study.journal import Journal
from search.study.prune import EARLIEST, Policy, Rule
from search.study.schedule import Asked
from search.study.study import Study
from search.study.trial import Candidate, LossPoint, Origin, Outcome, Status, Trial
from search.testing.synthetic import Nowhere, OneByOne, Silent, SyntheticRunner

SECONDS = BudgetConfig(seconds=10.0)
TOKENS = BudgetConfig(tokens=1_000)


def curve(above=0.0, until=1.0):
    """Of a hundred points, from 6 nats down to 3."""
    points = [LossPoint(at / 10, at * 10, 3.0 + 3.0 * (1 - at / 100) + above) for at in range(1, 101)]
    return tuple(point for point in points if point.seconds <= 10 * until)


def judged(losses, margin=0.3, budget=SECONDS, **curves):
    """When a trial that reports these losses is ended, and why."""
    rule = Rule(margin, budget, curves or {"the stock's": curve()})
    verdicts = (rule.judge(losses[: at + 1]) for at in range(len(losses)))
    return next((verdict for verdict in verdicts if verdict is not None), None)


@pytest.mark.parametrize("budget", [SECONDS, TOKENS])
def test_what_lies_beyond_the_margin_ends_as_soon_as_curves_are_compared(budget):
    pruned = judged(curve(above=0.31), budget=budget)
    assert pruned.share == pytest.approx(EARLIEST)
    assert pruned.reason == "its loss at 40 % of the budget was 0.31 nats above the stock's"
    assert judged(curve(above=0.29), budget=budget) is None


def test_a_single_bad_batch_ends_nothing():
    losses = [*curve(until=0.5), LossPoint(5.05, 505, 7.0), *curve()[50:]]
    assert judged(losses) is None


def test_a_trial_must_be_worse_than_the_stock_and_the_best():
    """A best trial that reports too low a loss ends no other one, and one that learns late has shown that this can win."""
    assert judged(curve(above=0.1), **{"the stock's": curve(), "the best's": curve(above=-9.0)}) is None
    assert judged(curve(above=0.6), **{"the stock's": curve(), "the best's": curve(above=0.4)}) is None
    assert "above the best's" in judged(curve(above=0.8), **{"the stock's": curve(), "the best's": curve(above=0.4)}).reason


def test_where_nothing_was_reported_nothing_is_compared():
    assert judged(curve(above=9.0), **{"the stock's": curve(until=0.05)}) is None
    assert judged(()) is None


def trial(number, origin=Origin.STRATEGY, above=0.0):
    outcome = Outcome(Status.COMPLETED, val_bpb=2.0, audited=True, losses=curve(above))
    return Trial(number, origin, Candidate("x"), outcome)


def asked(origin=Origin.STRATEGY, replicate=0):
    return Asked(9, origin, Candidate("x", replicate=replicate), 1, 0.0, None)


def test_stock_anchors_and_replicates_run_to_their_end():
    policy, history = Policy(0.3, SECONDS), [trial(0, Origin.STOCK)]
    assert policy.rule(asked(), history, history[0]) is not None
    for exempt in (asked(Origin.STOCK), asked(Origin.ANCHOR), asked(replicate=1)):
        assert policy.rule(exempt, history, history[0]) is None


def test_a_trial_is_held_against_the_stock_as_it_ran_last():
    history = [trial(0, Origin.STOCK), trial(1, above=0.2), trial(2, Origin.ANCHOR, above=0.5)]
    rule = Policy(0.3, SECONDS).rule(asked(), history, history[1])
    assert judged(curve(above=0.7), **rule.curves) is None
    assert judged(curve(above=0.9), **rule.curves) is not None


class Reports(SyntheticRunner):
    """Every trial reports the same losses."""

    def run(self, request, observe):
        return replace(super().run(request, observe), losses=curve())


class Edits:
    def ask(self, history, pending, noise_floor):
        return Candidate(f"LR = {len(history)}\n", replicate=len(history) % 2)

    def tell(self, trial):
        pass


@pytest.mark.parametrize("policy", [Policy(0.3, SECONDS), None])
def test_a_study_hands_the_rule_to_whoever_runs_its_trials(tmp_path, policy):
    runner = Reports()
    with Journal(tmp_path, print) as journal:
        study = Study(Edits(), journal, Budget(StudyConfig(trials=5)), "LR = -1\n", 0, 0.1, prune=policy)
        drive(study, OneByOne(runner), Silent(), Nowhere())
    ruled = [request.prune is not None for request in runner.requests]
    assert ruled == [False, False, policy is not None, False, policy is not None]
