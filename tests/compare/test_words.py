"""The verdict's sentences: their order, what they may claim, and the advice that they give."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from search.compare.analyse.finding import Estimate, Finding, Name, Scope, Verdict
from search.compare.comparison import comparison_of
from search.compare.read.reader import Experiment
from search.compare.show.verdict import verdict_of
from search.compare.show.view import View
from tests.compare.experiments import told, told_of, without_llm


def said(name: str, **changes) -> str:
    """The verdict where the analysis is changed."""
    return "\n".join(verdict_of(View(replace(told(name).compared.view.analysis, **changes))))


def with_claim(**changes) -> str:
    """The sentence about a claim that is changed."""
    analysis = told("nothing").compared.view.analysis
    findings = [replace(one, **changes) if one.scope is Scope.CLAIM else one for one in analysis.findings]
    return next(line for line in said("nothing", findings=tuple(findings)).splitlines() if line.startswith("Is agent"))


def test_a_machine_that_moved_is_the_first_sentence_everywhere():
    moving = told("moving")
    first = moving.json["verdict"][0]
    assert first.startswith("The machine moved: the unchanged program got 0.0")
    assert "worse from the control to the confirmation" in first and "more than the noise floor of 0.0011" in first
    assert "task.budget.tokens" in moving.json["verdict"][1]
    assert f"**{first}**" in moving.markdown
    assert moving.terminal.splitlines()[1].startswith("The machine moved")
    assert "The machine moved" not in " ".join(told("nothing").json["verdict"])


def test_speed_is_no_news_where_budgets_are_tokens():
    facts = {"budget": {"tokens": 1000}}
    machine = replace(told("moving").compared.view.analysis.machine, moves=())
    assert "The machine moved: it ran at another speed" in said("moving", machine=machine)
    assert "The machine moved" not in said("moving", machine=machine, task_facts=facts)
    assert "task.budget.tokens" not in said("moving", task_facts=facts)


def test_advice_is_given_only_where_it_can_help():
    better, worse = Estimate(0.0012, 0.001, -0.001, 0.003), Estimate(-0.0012, 0.001, -0.003, 0.001)
    open_ = with_claim(estimate=better, verdict=Verdict.NOT_SHOWN, p=0.2)
    assert "Not shown" in open_ and open_.endswith("python -m search.plan experiment=simulated difference=0.0012")
    assert "search.plan" not in with_claim(estimate=worse, verdict=Verdict.NOT_SHOWN, p=0.8)
    assert "search.plan" not in with_claim(estimate=better, verdict=Verdict.SHOWN, p=0.001)
    reverse = with_claim(estimate=worse, verdict=Verdict.REVERSE, p=0.999, p_reverse=0.001)
    assert "No. optuna-tpe is better, by 0.0012 (95 %: -0.0010 to 0.0030): shown, p = 0.0010" in reverse


def test_two_programs_are_never_a_claim_about_strategies():
    verdict = told("one study only").json["verdict"]
    (programs,) = [one for one in verdict if "not their strategies" in one]
    assert re.match(r"Which program is better, trial \d+ of agent-playbook/0 or trial \d+ of optuna-tpe/0\? ", programs)
    assert not any("not their strategies" in one for one in told("effects").json["verdict"])


@pytest.mark.parametrize(
    ("value", "verdict", "said_"),
    [
        (0.002, Verdict.SHOWN, r"Trial \d+ of agent-playbook/0, by 0.0020 \(95 %: 0.0010 to 0.0030\): shown, p = 0.0020, "),
        (-0.002, Verdict.REVERSE, r"Trial \d+ of optuna-tpe/0, by 0.0020 \(95 %: 0.0010 to 0.0030\): shown, p = 0.0010, "),
        (-0.002, Verdict.NOT_SHOWN, r"Trial \d+ of optuna-tpe/0, by 0.0020 \(95 %: .*\): not shown, p = 0.0010, "),
    ],
)
def test_two_programs_are_told_from_the_better_one(value, verdict, said_):
    """Nobody has to turn a sign round in the head."""
    estimate = Estimate(value, 0.0005, value - 0.001, value + 0.001)
    change = {"estimate": estimate, "verdict": verdict, "p": 0.002, "p_reverse": 0.001}
    findings = told("one study only").compared.view.analysis.findings
    changed_ = [replace(one, **change) if one.scope is Scope.PROGRAMS else one for one in findings]
    (line,) = [one for one in said("one study only", findings=tuple(changed_)).splitlines() if "not their strategies" in one]
    assert re.search(rf"\? {said_}", line) and "-0.0" not in line


def test_who_asked_no_llm_says_so_before_anything_else():
    it = told_of(without_llm(told("one study only").experiment))
    sentence = "No LLM took part in agent-playbook: it is a hand-picked list of edits."
    assert it.json["verdict"][0] == sentence and it.terminal.splitlines()[1] == sentence
    assert it.markdown.splitlines()[2] == f"**{sentence}**"
    assert it.json["strategies"][0]["llm_calls"] is None
    assert "No LLM" not in told("one study only").markdown


def test_the_first_table_tells_the_winner_from_its_strategy():
    head = told("one study only").markdown.partition("![")[0].partition("\n- ")[0]
    assert re.search(
        r"\| Is trial \d+ of optuna-tpe/0 better than the stock\? \| (Yes, shown|Not shown): the gain is ", head
    )
    assert "| Would a new study of agent-playbook or optuna-tpe gain? | Too early to say: " in head
    assert "| Would a new study of optuna-tpe gain? | Yes, shown. |" in told("effects").markdown


def test_cheats_are_named_with_their_reason():
    experiment = told("one study only").experiment
    study = next(one for one in experiment.studies if one.strategy == "agent-playbook")
    number = next(row.number for row in study.rows[1:] if row.status == "completed" and row is not study.winner)
    rows = [
        replace(row, status="disqualified", score=None, reason="it read ahead") if row.number == number else row
        for row in study.rows
    ]
    others = [one for one in experiment.studies if one is not study]
    it = told_of(replace(experiment, studies=(replace(study, rows=tuple(rows)), *others)))
    assert f"Trial {number} of agent-playbook/0 was disqualified: it read ahead" in it.compared.cautions
    assert f"| trial {number} of agent-playbook/0 | disqualified | it read ahead |" in it.markdown


def test_where_budgets_are_tokens_no_machine_drifts_and_a_slow_winner_is_told():
    experiment = told("moving").experiment
    facts = {**experiment.task_facts, "budget": {"tokens": 65536}}
    rows = tuple(
        row if row.arm == "stock" else replace(row, tokens_per_second=0.8 * row.tokens_per_second)
        for row in experiment.confirmation.rows
    )
    confirmation = replace(experiment.confirmation, rows=rows)
    it = told_of(replace(experiment, task_facts=facts, confirmation=confirmation))
    assert "per hour of" not in it.markdown and "The machine moved" not in it.markdown
    assert "A training run gets 65,536 tokens" in it.markdown and "which has other seeds" in it.markdown
    assert any("With a budget in tokens that costs nothing" in one for one in it.compared.cautions)


def test_an_unplanned_look_is_said_with_its_price():
    (late,) = [one for one in told("unplanned").json["verdict"] if "look was planned" in one]
    looks = [one.look for one in told("unplanned").compared.view.analysis.findings if one.look]
    (level,) = {look.level for look in looks if look.number == 2}
    assert "look 2" in late and late.endswith(f"p must be below {level:.4f}.") and level < 0.01


def test_claims_after_fewer_trials_stand_beside_that_of_whole_studies():
    verdict = told("effects").json["verdict"]
    assert verdict[0].startswith("Is agent-playbook better than optuna-tpe? Yes, shown: the advantage is +0.00")
    assert verdict[1].startswith("Is agent-playbook better than optuna-tpe after 10 trials? ")


def test_equivalence_is_told_where_a_difference_is_named():
    verdict = comparison_of(told("nothing").experiment, delta=0.01).verdict
    question = "Are agent-playbook and optuna-tpe equally good (neither is better by 0.01)?"
    assert any(one.startswith(f"{question} Yes, shown: p ") for one in verdict)
    assert not any("neither" in one for one in told("nothing").json["verdict"])


def test_pairs_that_a_user_names_take_the_place_of_the_claim():
    verdict = comparison_of(told("effects").experiment, [("optuna-tpe", "agent-playbook")]).verdict
    better = "agent-playbook is better, by 0.0018 (95 %: 0.0011 to 0.0025): shown, p"
    assert verdict[0].startswith(f"Is optuna-tpe better than agent-playbook? No. {better}")
    assert not any(one.startswith("Is agent-playbook") for one in verdict)


def test_a_search_is_called_a_study_and_nothing_unconfirmed_is_shown():
    for name in ("effects", "nothing", "unconfirmed", "moving"):
        assert not re.search(r"\bsearch(es)?\b(?! seed|\.plan)", " ".join(told(name).json["verdict"]))
    verdict = told("unconfirmed").json["verdict"]
    assert sum("which is unconfirmed" in one for one in verdict) == 2


def changed(**headers) -> Experiment:
    """An experiment whose first study's record differs."""
    experiment = told("one study only").experiment
    first, *others = experiment.studies
    return replace(experiment, studies=(replace(first, header={**first.header, **headers}), *others), empty=("a/b/c/0",))


@pytest.mark.parametrize(
    ("headers", "said_"),
    [
        ({"machine": "another"}, "different machines"),
        ({"environment": {}}, "versions of libraries"),
        ({"sandbox": "none"}, "without a sandbox"),
        ({"sandbox": "none"}, "in different sandboxes"),
        ({"accepted": [{"hash": "h1", "files": ["a.py", "b.py"], "trial": 3}]}, "(h1) from trial 3 on: a.py and b.py"),
        ({}, "a/b/c/0 has no finished trial yet"),
    ],
)
def test_what_differs_between_studies_is_cautioned_of(headers, said_):
    assert said_ in " ".join(comparison_of(changed(**headers)).cautions)


def test_devices_doubts_seeds_and_failures_are_cautioned_of():
    experiment = told("one study only").experiment
    study, *others = experiment.studies
    number = told("one study only").compared.view.facts[study.identity].winner
    rows = [
        replace(
            row,
            device=f"H{100 * (row.number % 2 + 1)} id",
            flags=("sets_seed",),
            doubts=("fast",),
            telemetry={"cpu_share": 0.5},
        )
        for row in study.rows
    ]
    cautions = " ".join(comparison_of(replace(experiment, studies=(replace(study, rows=tuple(rows)), *others))).cautions)
    for words in (
        "different models of device",
        "sets a seed itself",
        "unusual numbers (fast)",
        "less than 90 % of its cores' time",
    ):
        assert words in cautions
    assert number is not None and "run" in " ".join(told("hostile").compared.cautions)


def test_a_drift_that_the_verdict_begins_with_is_not_said_twice():
    drift = Finding(Scope.MACHINE, Name.DRIFT, "the studies", estimate=Estimate(0.0002), verdict=Verdict.SHOWN)
    assert drift.shown and sum("drifted in the confirmation" in one for one in told("moving").compared.cautions) == 0
