"""What the comparison refuses, and what it asks for."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from search.compare.analyse.analysis import analyse
from search.compare.analyse.confirmed import scores_of
from search.compare.analyse.equal_budget import equal_budget
from search.compare.analyse.gains import evidence_of
from search.compare.analyse.headline import headline
from search.compare.read import parse
from search.compare.show import remedies
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records, simulate_experiment
from search.config.messages import UserError

SMALL = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=4))
BETTER = (replace(AGENT, trials=4, tuning=0.1, code=0.1), replace(OPTUNA, trials=4, tuning=0.03), SMALL[2])


def contrasts_of(experiment):
    return headline(evidence_of(experiment, None))


# ---- refusals ----


def changed(records_, number, **header):
    studies, confirmation, _ = records_
    studies[number] = ({**studies[number][0], **header}, studies[number][1])
    return studies, [confirmation]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            {"task_fingerprint": "other", "task": {"device": "cpu", "budget": {"seconds": 25.0}, "vocab_size": 1024}},
            r"budget\.seconds: 30\.0 against 25\.0.*\n.*task=NAME",
        ),
        ({"stock": "other"}, "different programs"),
        ({"identity": "simulated/cpu/agent-playbook/0"}, "is there twice"),
    ],
)
def test_what_must_not_be_compared_is_refused(header, words):
    with pytest.raises(UserError, match=words):
        parse.experiment("simulated", *changed(records(0, World(SMALL, studies=2)), 1, **header))


def test_two_confirmations_and_no_study_are_refused():
    studies, confirmation, _ = records(0, World(SMALL, studies=1))
    with pytest.raises(UserError, match="two confirmations"):
        parse.experiment("simulated", studies, [confirmation, confirmation])
    with pytest.raises(UserError, match="has no study"):
        parse.experiment("simulated", [], [])


def test_a_record_of_another_version_is_named():
    studies, _, _ = records(0, World(SMALL, studies=1))
    del studies[0][1][0]["tokens"]
    with pytest.raises(UserError, match=r"agent-playbook/0: its record lacks 'tokens'"):
        parse.experiment("simulated", studies, [])


def test_a_confirmation_of_a_trial_that_is_not_published_is_named():
    experiment = simulate_experiment(0, World(SMALL, studies=1))
    study = experiment.studies[0]
    with pytest.raises(UserError, match="whose score the study's table lacks"):
        analyse(replace(experiment, studies=(replace(study, rows=study.rows[:0]), *experiment.studies[1:])))


# ---- minima ----


def test_everything_that_is_missing_is_named_with_its_command(configure):
    rivals = (replace(BETTER[0], label="agent-gpt-x"), BETTER[1], replace(CONTROL, trials=2))
    contrast = contrasts_of(simulate_experiment(0, World(rivals, studies=3, repeats=3)))[0]
    assert contrast.verdict == "not stated" and contrast.p is None
    assert [missing.what for missing in contrast.missing] == [
        "2 of 8 control trials",
        "3 of 6 studies of agent-gpt-x",
        "3 of 6 studies of optuna-tpe",
        "2 of 5 confirmation repeats",
    ]
    control, agent, optuna, confirm = (missing.command for missing in contrast.missing)
    assert confirm == "python -m search.confirm experiment=simulated repeats=5"
    for command, strategy, settings in (
        (control, "seeds", {"study.trials=4", "seed=0"}),
        (agent, "agent", {"study.trials=4", "seed=3,4,5", "-m", "llm.model=gpt-x"}),
        (optuna, "optuna", {"study.trials=4", "seed=3,4,5", "-m", "sampler=tpe"}),
    ):
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "search"] and settings <= set(words)
        overrides = [word.partition(",")[0] for word in words[3:] if word != "-m"]
        assert configure(*overrides).strategy["name"] == strategy


def test_nothing_is_missing_at_the_minima():
    contrast = contrasts_of(simulate_experiment(0, World(BETTER)))[0]
    assert contrast.missing == () and contrast.verdict == "shown" and len(contrast.pairs) == 6


def test_a_control_and_a_confirmation_are_asked_for_where_there_is_none():
    contrast = contrasts_of(simulate_experiment(0, World(SMALL[:2], confirmed=False)))[0]
    assert [missing.command for missing in contrast.missing] == [
        "python -m search strategy=seeds task=cpu experiment=simulated seed=0",
        "python -m search.confirm experiment=simulated repeats=5",
    ]
    assert contrast.pairs == () and contrast.advantage is None


def test_a_studys_own_words_are_kept_quoted_and_what_a_name_is_made_of_is_added():
    experiment = simulate_experiment(0, World(SMALL[:2], studies=1))
    words = ("strategy.margin=2.5", "data=files", 'data.corpus.folder="~/my texts"', "seed=7")
    experiment = replace(experiment, studies=tuple(replace(study, overrides=words) for study in experiment.studies))
    rest = """data=files 'data.corpus.folder="~/my texts"'"""
    agent = experiment.of("agent-playbook")[0]
    assert remedies.studies(experiment, agent, [1, 2]) == (
        f"python -m search -m strategy=agent task=cpu experiment=simulated strategy.margin=2.5 {rest} seed=1,2"
    )
    assert remedies.longer(experiment, agent, [7], 50).endswith(f"{rest} seed=7 study.trials=50")
    assert remedies.control(experiment) == (f"python -m search strategy=seeds task=cpu experiment=simulated {rest} seed=0")
    studies = tuple(replace(study, overrides=("task=cpu", "experiment='1e3'")) for study in experiment.studies)
    assert remedies.control(replace(experiment, name="1e3", studies=studies)) == (
        "python -m search strategy=seeds task=cpu experiment=1e3 seed=0"
    )


def test_more_contrasts_need_more_searches():
    fourth = replace(OPTUNA, label="optuna-random", trials=4)
    contrast = contrasts_of(simulate_experiment(0, World((*SMALL, fourth))))[0]
    assert "1 of 7 studies of agent-playbook" in [missing.what for missing in contrast.missing]


def test_one_unconfirmed_winner_is_not_left_out_silently():
    experiment = simulate_experiment(0, World(SMALL, studies=7))
    table = experiment.confirmation
    left = {name: study for name, study in table.plans[0].studies.items() if not name.endswith("agent-playbook/6")}
    table = replace(table, plans=(replace(table.plans[0], studies=left),))
    contrast = contrasts_of(replace(experiment, confirmation=table))[0]
    assert contrast.verdict == "not stated"
    assert [missing.what for missing in contrast.missing] == ["the confirmation of the winners of search seeds 6"]


# ---- budgets ----


def test_unequal_budgets_are_compared_at_the_common_number_where_that_is_confirmed():
    short = replace(BETTER[0], trials=2)
    experiment = simulate_experiment(3, World((short, *BETTER[1:])))
    studies = [study for study in experiment.studies if not study.is_control]
    reported = set(scores_of(experiment.confirmation, []).confirmation)
    found = equal_budget(experiment, studies, experiment.confirmation, reported)
    early = all(experiment.confirmation.planned(s.identity).winner < 2 for s in experiment.of("optuna-tpe"))
    assert not early and not found.equal and "2 to 4 trials" in found.words
    contrast = contrasts_of(experiment)[0]
    assert contrast.verdict == "not stated" and contrast.pairs == ()
    assert contrast.missing[0].command.startswith("python -m search -m strategy=agent llm=playbook task=cpu")
    assert "study.trials=4 seed=0,1,2,3,4,5" in contrast.missing[0].command

    firsts = {}
    for study in experiment.studies:  # now every winner is a trial that both budgets have
        number = 0 if study.is_control else 1
        planned = experiment.confirmation.planned(study.identity)
        firsts[study.identity] = replace(planned, winner=number, arms={number: planned.arm}, screened=(number,))
    rows = [
        replace(s, rows=(s.rows[0], replace(s.rows[1], val_bpb=1.0, score=1.0), *s.rows[2:])) for s in experiment.studies
    ]
    table = replace(experiment.confirmation, plans=(replace(experiment.confirmation.plans[0], studies=firsts),))
    contrast = contrasts_of(replace(experiment, studies=tuple(rows), confirmation=table))[0]
    assert contrast.budget == "the first 2 trials of each" and contrast.missing == () and len(contrast.pairs) == 6


def test_equal_hours_are_equal_budgets():
    experiment = simulate_experiment(0, World((replace(SMALL[0], trials=3), *SMALL[1:])))
    for study in experiment.studies:
        study.header["config"]["study"] |= {"trials": None, "train_hours": 2.0}
    assert contrasts_of(experiment)[0].budget == "2 training hours each"


# ---- shared programs ----


def test_searches_that_kept_the_stock_are_no_independent_evidence():
    """All of Optuna's studies end with the stock: agent against Optuna is then agent against the stock."""
    poor = replace(OPTUNA, trials=4, tuning=-0.5)
    first, second, third = contrasts_of(simulate_experiment(0, World((BETTER[0], poor, SMALL[2]))))
    assert first.method == second.method == "t, shared programs"
    assert first.advantage == second.advantage and first.p == second.p
    assert third.advantage.value == 0 and third.verdict == "not shown" and third.p == 1.0


def test_a_strategy_that_is_worse_is_shown_as_worse():
    worse = replace(AGENT, trials=1, noise=0.1)
    experiment = simulate_experiment(0, World((worse, replace(OPTUNA, trials=1, noise=0.1), SMALL[2])))
    table = experiment.confirmation
    planned = {
        name: replace(study, arm=name) if "agent" in name else study for name, study in table.plans[0].studies.items()
    }
    stock = [row for row in table.rows if row.arm == "stock"]
    bad = [
        replace(row, arm=name, confirmation_bpb=row.confirmation_bpb + 0.1 + i / 1000)
        for i, name in enumerate(name for name in planned if "agent" in name)
        for row in stock
    ]
    table = replace(table, plans=(replace(table.plans[0], studies=planned),), rows=(*table.rows, *bad))
    analysis = analyse(replace(experiment, confirmation=table))
    assert analysis.headline[0].verdict == "reverse shown"
    assert any("agent-playbook is worse than optuna-tpe: shown" in sentence for sentence in analysis.verdict)
