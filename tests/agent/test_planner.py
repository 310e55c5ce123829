"""The planner: what its roles are asked, what is made of their replies, and what goes on record."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from hydra.errors import ConfigCompositionException

from search.agent.chief import Direction
from search.agent.chief_prompt import reports
from search.agent.memory import Memory
from search.agent.paired import Program
from search.agent.plan import LONGEST_PART, LONGEST_TITLE, Planned, Report, read_plan, read_report
from search.agent.planner import Planner
from search.config.messages import UserError
from search.console.run_study import make_strategy
from search.llm.dialogue import Unreadable
from search.study.identity import ROLE
from search.study.journal import Journal
from search.study.report import report_of
from search.study.schedule import Asked
from search.study.trial import Status
from search.testing import Subject
from search.testing.subject import constants_only
from search.testing.synthetic import ONE, Several, SyntheticRunner, run_study
from tests.servers.roles import BROKEN_PLANS, JSON, PLAN, REPORT, SHORT

PRICES = ("llm.price.input=1", "llm.price.output=10")
SCRIPTED = ("llm=playbook", "llm._target_=tests.servers.roles.Roles", *PRICES)


@pytest.fixture
def planned(configure, tmp_path):
    """Run a planner's study with synthetic scores; return the strategy, why it ended, and its trials."""

    def run(trials, *overrides, name="study", several=ONE):
        stock = constants_only() + SHORT
        config = configure("task=smoke", "strategy=planner", *(overrides or SCRIPTED))
        strategy = make_strategy(config, stock, tmp_path / name, lambda text: None)
        assert isinstance(strategy, Planner)
        reason, told = run_study(tmp_path / name, strategy, SyntheticRunner(), stock, trials, several=several)
        return strategy, reason, told

    return run


@pytest.fixture
def stock_memory(tmp_path):
    return Memory(Subject(Planner).task(tmp_path), [], {}, Program(0, ""), {})


def test_a_plan_is_read_from_lines_and_from_json():
    assert read_plan(PLAN.format(ask=7), most=2, longest=2) == [
        Planned("step sizes (7)", "the matrices take steps that are too small", -0.01, 2),
        Planned("decay (7)", "weights grow", -0.005, 1),
    ]
    assert read_plan(JSON.format(ask=7), most=1, longest=3) == [Planned("decay (7)", "weights grow", -0.01, 3)]


@pytest.mark.parametrize(
    "text", [*BROKEN_PLANS, REPORT, PLAN.replace("2\n", "2.5\n"), JSON.replace("-0.01", "0.01"), "[1, 2]"]
)
def test_what_is_no_plan_is_refused_with_all_that_is_wrong(text):
    with pytest.raises(Unreadable) as refused:
        read_plan(text.format(ask=7) if "{ask}" in text else text, most=3, longest=5)
    assert "DIRECTION" in str(refused.value) or "EXPECT" in str(refused.value) or "TRIALS" in str(refused.value)


def test_a_plan_has_bounds_and_a_report_its_three_parts():
    with pytest.raises(Unreadable, match="2 directions, and 1 is the most"):
        read_plan(PLAN.format(ask=1), most=1, longest=2)
    with pytest.raises(Unreadable, match="from 1 to 1"):
        read_plan(PLAN.format(ask=1), most=2, longest=1)
    with pytest.raises(Unreadable, match="AVOID:"):
        read_report(REPORT.partition("AVOID")[0])
    assert read_report(REPORT).learned == "larger is better"


def test_directions_are_carried_out_one_after_the_other_and_reported_to_the_next_plan(planned, tmp_path):
    strategy, _, trials = planned(10)
    names = [trial.answer.facts["direction"] for trial in trials[1:]]
    lengths = {name: len(list(group)) for name, group in groupby(names)}
    assert len(lengths) == len(set(names)) and lengths.keys() >= {"1: decay (0)"}, "a direction was left and taken up again"
    whole = {f"{one.number}: {one.plan.title}": one.plan.trials for one in strategy.chief.directions}
    assert all(lengths[name] == whole[name] for name in list(lengths)[:-1])
    plans = [prompts for role, prompts in strategy.chief.dialogue.recorder.client.client.asked if role == "plan"]
    assert "Directions so far" not in plans[0][1]["content"]
    assert "Learned: larger is better Not again: smaller ones" in plans[-1][1]["content"]
    edits = [prompts[1]["content"] for role, prompts in strategy.client.client.asked if role == "edit"]
    assert "Hypothesis: weights grow" in edits[0] and "trial 1 of the 3" in edits[0] and "Mode:" not in edits[0]


def test_every_call_is_recorded_and_counted_by_its_role(planned, tmp_path):
    _, _, trials = planned(10)
    folder = tmp_path / "study" / "attachments"
    for trial in trials[1:]:
        calls = list((folder / f"{trial.number:04d}").rglob("call-*.json"))
        facts, cost = trial.answer.facts, trial.answer.cost
        counted = {role: int(facts.get(f"calls_{role}", 0)) for role in ("plan", "edit")}
        edits = sum(path.parent.name == "edit" for path in calls)
        assert counted == {"plan": len(calls) - edits, "edit": edits} and cost.calls == len(calls)
        usd = sum(float(facts.get(f"usd_{role}", 0)) for role in counted)
        assert cost.usd == pytest.approx(usd) == pytest.approx(0.011 * len(calls))
    asks = sorted(json.loads(path.read_text())["ask"] for path in folder.rglob("proposal.json"))
    assert asks == list(range(len(asks)))  # one count for all roles: a replay finds each reply
    with Journal(tmp_path / "study", lambda text: None) as journal:
        entries = journal.entries
    header = {"identity": "e/t/s/0", "id": "1", "strategy": "planner", "task": {}, "task_fingerprint": ""}
    config = {"strategy": {"role": "agent"}, "seed": 0, "task": {"name": "smoke"}}
    report = report_of({**header, "config": config}, entries)
    assert sum(report["spent"]["usd_by_role"].values()) == pytest.approx(report["spent"]["usd"])
    assert report["directions"][0]["report"].endswith("Not again: smaller ones")


def test_a_record_is_replayed_without_a_call_and_gives_the_same_study(planned, tmp_path):
    _, _, first = planned(10)
    _, _, again = planned(10, "llm=replay", f"llm.record={tmp_path / 'study'}", name="again")
    assert [trial.candidate and trial.candidate.source for trial in again] == [
        trial.candidate and trial.candidate.source for trial in first
    ]
    assert [trial.answer.facts.get("direction") for trial in again] == [
        trial.answer.facts.get("direction") for trial in first
    ]


def test_with_several_trials_at_once_directions_go_side_by_side(planned, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.servers.roles._plan", lambda ask, *more: PLAN.format(ask=ask))
    planned(10, several=Several(parallel=2, ahead=1))
    with Journal(tmp_path / "study", lambda text: None) as journal:
        names = [step.answer.facts.get("direction", "") for step in journal.schedule.steps if isinstance(step, Asked)]
    turns = [name for name, _ in groupby(names)]
    assert len(turns) > len(set(turns)), "no direction was taken up beside another"


def test_without_a_usable_plan_a_trial_is_unusable_with_the_reason_and_the_cost(planned, monkeypatch):
    monkeypatch.setattr("tests.servers.roles._plan", lambda *asked: "I would rather not.")
    _, reason, trials = planned(10)
    assert len(trials) == 6 and "5 unusable answers in a row" in reason
    assert {trial.status for trial in trials[1:]} == {Status.UNUSABLE}
    assert "no usable plan, after 3 replies: the reply names no direction" in trials[1].outcome.reason
    assert trials[1].answer.cost.calls == 3 and trials[1].answer.facts["calls_plan"] == "3"


def test_each_role_may_have_an_llm_of_its_own(configure):
    plan = ("llm@strategy.llms.plan=anthropic", "strategy.llms.plan.model=claude-opus-5-5")
    config = configure("strategy=planner", "llm=local", "llm.model=small", *plan)
    assert config.strategy_name == "planner-small-plan-claude-opus-5-5"
    assert config.strategy["llms"]["plan"]["base_url"] and config.strategy["llms"]["plan"]["price"]["input"] > 0
    with pytest.raises(UserError, match=r"the price of strategy\.llms\.plan\.model=of-tomorrow is not known"):
        configure(
            "strategy=planner",
            "llm=vllm",
            "llm.model=small",
            plan[0],
            "strategy.llms.plan.model=of-tomorrow",
            "study.usd=1",
        )
    for wrong in ("strategy.llms={plan: openai}", "strategy.llms.plan=openai", "+llm@strategy.llms.review=local"):
        with pytest.raises((UserError, ConfigCompositionException), match=r"llms"):
            configure("strategy=planner", "llm=local", "llm.model=small", wrong)
    assert ROLE.sub("llm", "config.strategy.llms.plan.base_url") == "config.strategy.llm.base_url"


def test_what_the_chief_is_told_of_directions_stays_bounded(stock_memory):
    part = "x" * LONGEST_PART
    planned = Planned("t" * LONGEST_TITLE, "h" * 600, -0.01, 5)
    told = [Direction(number, planned, report=Report(part, part, part)) for number in range(1, 500)]
    text = reports(told, stock_memory)
    assert len(text) == pytest.approx(len(reports(told[:60], stock_memory)), abs=100) and len(text) < 35_000
    assert "- 499: t" in text and "\n- 1: t" not in text
