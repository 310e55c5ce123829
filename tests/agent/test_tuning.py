"""Trials that are tuned: the agent's share of them, and those that begin with another study's winner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from baselines.retune import Retune
from search.agent.agent import Agent
from search.config.messages import UserError
from search.config.schema import DimensionConfig
from search.study import source
from search.study.own_space import own_space
from search.study.reads import Past
from search.study.schedule import Entry
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Verdict
from search.testing.synthetic import run_study
from tests.loops.__main__ import SETTINGS, facts
from tests.loops.world import STOCK, Runner

TUNER = {
    "_target_": "baselines.optuna.OptunaSearch",
    "sampler": {"_target_": "optuna.samplers.TPESampler"},
    "failure": "constraint",
}
PLAYER = {"_target_": "tests.loops.player.Player", "seed": 0, "price": {"input": 0.0, "output": 0.0, "cached": 0.0}}
FOUND = STOCK.replace("DECAY = 0.1", "DECAY = 0.1\nHEADS = 6\nEMA = 0.9\nNAME = 'a'\nOFF = 0.0").replace(
    "x = 1", "x = HEADS"
)


class Likes(Runner):
    """Programs with what the other study has found."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        better = "HEADS" in request.source and outcome.val_bpb is not None
        return replace(outcome, val_bpb=outcome.val_bpb - 0.2) if better else outcome


def past(name):
    outcome = Outcome(Status.COMPLETED, val_bpb=0.9, audited=True)
    trial = Trial(4, Origin.STRATEGY, Candidate(FOUND), outcome)
    return Past(f"exp/cpu/{name}/0", {}, [Entry(trial, 1, 0.0, 1.0, Verdict(True, "kept"))])


def agent(folder, **settings):
    return Agent(task=facts(folder / "attachments", 30, read=past), seed=0, llm=PLAYER, **{**SETTINGS, **settings})


def test_a_space_of_a_programs_own_constants():
    named = {"LR": DimensionConfig("float", low=0.01, high=0.05), "DECAY": DimensionConfig("float", low=0.2, high=0.5)}
    space = own_space(FOUND, named)
    assert space["LR"] == named["LR"]  # the other range does not hold the value
    assert (space["DECAY"].low, space["DECAY"].high, space["DECAY"].log) == (0.025, 0.4, True)
    assert (space["BATCH"].kind, space["BATCH"].low, space["BATCH"].high) == ("power_of_two", 32, 128)
    assert (space["HEADS"].kind, space["HEADS"].low, space["HEADS"].high) == ("int", 3, 12)
    assert space["EMA"].high == 1.0
    assert space.keys() == {"LR", "BATCH", "DECAY", "HEADS", "EMA"}


def test_a_share_of_the_agents_trials_tunes_what_is_current_by_then(tmp_path):
    _, trials = run_study(tmp_path, agent(tmp_path, tune=0.5, tuning=TUNER, of="first"), Likes(), STOCK, 30)
    tuned = [trial for trial in trials if trial.candidate and trial.candidate.facts.get("by") == "tuning"]
    assert 8 <= len(tuned) <= 20
    for trial in tuned:
        parent = trials[trial.candidate.parent]
        assert source.change(parent.candidate.source, trial.candidate.source).kind == "constants"
        assert trial.answer.cost is None
    assert len({trial.candidate.parent for trial in tuned}) > 1
    assert all("HEADS" in trial.candidate.params for trial in tuned)  # which the stock does not have


def test_a_space_that_is_used_up_leaves_the_trials_to_the_agent(tmp_path):
    space = {name: DimensionConfig("choice", values=[value]) for name, value in source.constants(STOCK).items()}
    strategy = agent(tmp_path, tune=0.9, tuning=TUNER, space=space)
    _, trials = run_study(tmp_path, strategy, Runner(), STOCK, 2)
    assert strategy.tuning.has(1) and "mode" in trials[1].answer.facts


def test_an_agent_can_begin_with_another_studys_winner(tmp_path):
    _, trials = run_study(tmp_path, agent(tmp_path, of="optuna-tpe"), Runner(), STOCK, 2)
    assert [trial.candidate.source for trial in trials] == [STOCK, FOUND]
    assert trials[1].candidate.note == "trial 4 of exp/cpu/optuna-tpe/0, its winner"


def test_retuning_begins_with_the_stock_and_then_the_winner(tmp_path):
    strategy = Retune(facts(tmp_path / "attachments", 12, read=past), 0, "agent", {}, TUNER)
    _, trials = run_study(tmp_path, strategy, Runner(), STOCK, 12)
    assert [trial.candidate.source for trial in trials[:2]] == [STOCK, FOUND]
    for trial in trials[2:]:
        assert trial.candidate.parent == 1
        assert source.change(FOUND, trial.candidate.source).kind == "constants"
    told = strategy.tuner.study.get_trials(deepcopy=False)
    assert [trial.value for trial in told[:11]] == [trial.val_bpb for trial in trials[1:]]


def test_a_winner_that_is_the_stock_is_tuned_all_the_same(tmp_path):
    def read(name):
        trial = Trial(0, Origin.STOCK, Candidate(STOCK), Outcome(Status.COMPLETED, val_bpb=1.0, audited=True))
        return Past("exp/cpu/agent/0", {}, [Entry(trial, 1, 0.0, 1.0, Verdict(True, "the stock"))])

    strategy = Retune(facts(tmp_path / "attachments", 4, read=read), 0, "agent", {}, TUNER)
    _, trials = run_study(tmp_path, strategy, Runner(), STOCK, 4)
    assert len(trials) == 4 and all(trial.candidate.parent == 0 for trial in trials[1:])


def test_what_has_nothing_to_tune_is_refused(tmp_path):
    def empty(name):
        trial = Trial(4, Origin.STRATEGY, Candidate("x = 1\n"), Outcome(Status.COMPLETED, val_bpb=0.9, audited=True))
        return Past("a/cpu/agent/0", {}, [Entry(trial, 1, 0.0, 1.0, Verdict(True, "kept"))])

    with pytest.raises(UserError, match="no constants to tune"):
        Retune(facts(tmp_path, 12, read=empty), 0, "agent", {}, TUNER)
