"""What the comparison refuses, what it asks for, and when it says that something is shown."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.compare.analyse import minima, remedies
from search.compare.analyse.analysis import analyse
from search.compare.analyse.budgets import budget_of
from search.compare.analyse.effects import advantage, permutation
from search.compare.analyse.finding import ALPHA, REVERSED, Name, Scope, Verdict
from search.compare.analyse.looks import RESERVE, level, planned_levels
from search.compare.read import parse
from search.compare.truth import world as worlds
from search.compare.truth.trainer import Noise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records, simulate
from search.config.messages import UserError
from tests.compare.experiments import without_llm

QUIET = Noise(sd=0.0003, again=0.0002)
SHORT = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=8))
BETTER = (
    replace(SHORT[0], tuning=0.005, code=0.01, between=0.001),
    replace(SHORT[1], tuning=0.003, between=0.001),
    SHORT[2],
)


OF_AGENT = (Scope.STRATEGY, Name.GAIN, "agent-playbook")


def analysed(world: World, seed: int = 0, **asked):
    return analyse(simulate(seed, world)[0], **asked)


def claim(analysis):
    return analysis.find(Scope.CLAIM, Name.ADVANTAGE, "agent-playbook")


# ---- refusals ----


def test_studies_that_hold_what_another_found_are_not_called_independent():
    (studies, confirmation, _), found = records(0, World(BETTER, QUIET, plans=((4, 3),))), []
    for reads in (None, "simulated/cpu/optuna-tpe/0", "elsewhere/cpu/agent/0"):
        for header, _ in studies:
            if reads is not None and header["strategy"] == "agent-playbook":
                header["reads"] = [{"study": reads}]
        analysis = analyse(parse.experiment("simulated", studies, [confirmation]))
        lacks = [missing.what for missing in claim(analysis).missing + analysis.find(*OF_AGENT).missing]
        found.append([what for what in lacks if "not independent" in what])
        assert (claim(analysis).verdict is Verdict.NOT_STATED) == bool(found[-1])
    assert found[0] == [] and "optuna-tpe/0 found" in found[1][0]
    assert len(found[2]) == 2 and "agent-playbook/0 and simulated/cpu/agent-playbook/1" in found[2][0]


def changed(records_, number, **header):
    studies, confirmation, _ = records_
    studies[number] = ({**studies[number][0], **header}, studies[number][1])
    return studies, [confirmation]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            {"task_fingerprint": "other", "task": {"device": "cpu", "budget": {"seconds": 25.0}, "vocab_size": 1024}},
            r"budget\.seconds: 300\.0 and 25\.0.*\n.*task=NAME",
        ),
        ({"stock": "other"}, "different programs"),
        ({"identity": "simulated/cpu/agent-playbook/0"}, "is in MLflow twice"),
    ],
)
def test_what_must_not_be_compared_is_refused(header, words):
    with pytest.raises(UserError, match=words):
        parse.experiment("simulated", *changed(records(0, World(SHORT, plans=((2, 2),))), 2, **header))


def test_two_confirmations_and_no_study_are_refused():
    studies, confirmation, _ = records(0, World(SHORT, plans=((1, 2),)))
    with pytest.raises(UserError, match="two confirmations"):
        parse.experiment("simulated", studies, [confirmation, confirmation])
    with pytest.raises(UserError, match="has no study"):
        parse.experiment("simulated", [], [])


def test_a_record_of_another_version_is_named():
    studies, _, _ = records(0, World(SHORT, plans=((1, 2),)))
    del studies[1][1][0]["device"]
    with pytest.raises(UserError, match=r"agent-playbook/0: its record lacks 'device'"):
        parse.experiment("simulated", studies, [])


def test_a_confirmation_of_a_trial_that_is_not_published_is_named():
    experiment, _ = simulate(0, World(SHORT, plans=((1, 2),)))
    study = experiment.studies[0]
    with pytest.raises(UserError, match="whose score the study's table lacks"):
        analyse(replace(experiment, studies=(replace(study, rows=study.rows[:0]), *experiment.studies[1:])))


# ---- minima ----


def test_everything_that_is_missing_is_named_with_its_command(configure):
    rivals = (replace(BETTER[0], label="agent-gpt-x"), BETTER[1], replace(CONTROL, trials=6))
    found = analysed(World(rivals, plans=((3, 2),))).find(Scope.CLAIM, Name.ADVANTAGE, "agent-gpt-x")
    assert found.verdict == "not stated" and found.p is None
    assert [missing.what for missing in found.missing] == [
        "the control has 6 scores (8 are needed)",
        "agent-gpt-x has 3 studies (4 are needed)",
        "optuna-tpe has 3 studies (4 are needed)",
        "the confirmation has 2 repeats (3 are needed)",
    ]
    control, agent, optuna, confirm = (missing.command for missing in found.missing)
    assert confirm == "python -m search.confirm experiment=simulated repeats=3"
    for command, strategy, settings in (
        (control, "seeds", {"study.trials=8", "seed=0"}),
        (agent, "agent", {"study.trials=4", "seed=3", "llm.model=gpt-x"}),
        (optuna, "optuna", {"study.trials=4", "seed=3", "sampler=tpe"}),
    ):
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "search"] and settings <= set(words)
        overrides = [word.partition(",")[0] for word in words[3:] if word != "-m"]
        assert configure(*overrides).strategy["name"] == strategy


def test_the_minima_are_enough_for_every_kind_of_claim():
    analysis = analysed(World(BETTER, QUIET, plans=((4, 5),)))
    assert not analysis.missing and claim(analysis).verdict == "shown"
    for finding in analysis.findings:
        assert finding.verdict != "not stated"


@pytest.mark.parametrize("lacking", [World(BETTER, QUIET, plans=((4, 2),)), World(BETTER[:2], QUIET, plans=((4, 5),))])
def test_nothing_at_all_is_shown_below_the_minima(lacking):
    """Neither gains nor parts nor overfitting nor contrasts: one rule."""
    analysis = analysed(lacking)
    assert all(finding.verdict in ("not stated", "measured") for finding in analysis.findings if finding.scope != "machine")
    assert analysis.missing


def test_nothing_is_shown_in_the_middle_of_a_confirmation():
    experiment, _ = simulate(0, World(BETTER, QUIET, plans=((4, 6),)))
    rows = tuple(row for row in experiment.confirmation.rows if row.repeat < 5)
    analysis = analyse(replace(experiment, confirmation=replace(experiment.confirmation, rows=rows)))
    assert all(finding.verdict in ("not stated", "measured") for finding in analysis.findings if finding.scope != "machine")
    assert {missing.command for missing in analysis.missing} == {"python -m search.confirm experiment=simulated repeats=6"}


def test_a_control_and_a_confirmation_are_asked_for_where_there_is_none():
    found = claim(analysed(World(SHORT[:2], confirmed=False)))
    assert [missing.command for missing in found.missing] == [
        "python -m search strategy=seeds task=cpu experiment=simulated seed=0",
        "python -m search.confirm experiment=simulated repeats=3",
    ]
    assert found.estimate is None


def test_a_studys_own_words_are_kept_quoted_and_what_a_name_is_made_of_is_added():
    experiment, _ = simulate(0, World(SHORT[:2], plans=((1, 2),)))
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


def test_new_studies_get_search_seeds_whose_blocks_are_there():
    experiment, _ = simulate(0, World(BETTER, plans=((6, 3),)))
    fewer = tuple(study for study in experiment.studies if study.name != "optuna" or study.search_seed > 2)
    (missing,) = minima.studies(replace(experiment, studies=fewer), "optuna-tpe")
    assert "seed=0" in missing.command


def test_what_is_missing_is_added_in_order_and_more_of_a_fixed_list_is_no_answer():
    """The winners of more studies are worth nothing before they are confirmed, all at once, and compared."""
    experiment, _ = simulate(0, World(BETTER, plans=((1, 3),)))
    commands = analyse(experiment).commands
    assert [shlex.split(command)[2] for command in commands] == ["search", "search", "search.confirm", "search.compare"]
    assert commands[2:] == (
        "python -m search.confirm experiment=simulated repeats=5",
        "python -m search.compare experiment=simulated",
    )
    without = analyse(without_llm(experiment))
    (lack,) = [missing for missing in without.missing if missing.what.startswith("agent")]
    assert lack.what == "agent-playbook has no study with an LLM (4 are needed)"
    words = shlex.split(lack.command)
    assert {"llm=openai", "llm.model=...", "seed=0,1,2,3"} <= set(words) and "playbook" not in lack.command


def test_one_unconfirmed_winner_is_not_left_out_silently():
    experiment, _ = simulate(0, World(SHORT, plans=((5, 5),)))
    table = experiment.confirmation
    left = {name: study for name, study in table.plans[0].studies.items() if not name.endswith("agent-playbook/4")}
    table = replace(table, plans=(replace(table.plans[0], studies=left),))
    found = claim(analyse(replace(experiment, confirmation=table)))
    assert [missing.what for missing in found.missing] == ["winners of agent-playbook are not confirmed"]


# ---- budgets ----


def test_unequal_budgets_are_compared_at_the_common_number_where_that_is_confirmed():
    rivals = (replace(BETTER[0], trials=8, within=0.002), *BETTER[1:])
    unequal = analysed(World(rivals, plans=((4, 3),)), seed=1)
    found = claim(unequal)
    assert found.verdict == "not stated"
    assert found.missing[0].command == "python -m search.confirm experiment=simulated repeats=3 'at=[4]'"
    common = claim(analysed(World(rivals, plans=((4, 3),), at=(4,)), seed=1))
    assert not common.missing and "winners after 4 trials" in common.remarks[0]


def test_equal_hours_are_equal_budgets():
    experiment, _ = simulate(0, World((replace(SHORT[0], trials=3), *SHORT[1:])))
    for study in experiment.studies:
        study.header["config"]["study"] |= {"trials": None, "train_hours": 2.0}
    searched = [study for study in experiment.studies if not study.is_control]
    assert budget_of(experiment, searched, None).words == "2 training hours each"


def test_winners_of_several_budgets_are_contrasted_at_each():
    """Better after 4 trials by 0.01; the late trials of the tuner make up for it."""
    analysis = analysed(World(BETTER, QUIET, plans=((4, 5),), at=(2,)))
    assert analysis.find(Scope.STRATEGIES, Name.ADVANTAGE, "agent-playbook", at=2).verdict == "shown"
    assert analysis.find(Scope.STRATEGY, Name.GAIN, "agent-playbook", at=2).studies == 4


# ---- kinds of claim ----


def test_two_programs_are_told_apart_from_one_study_each_and_strategies_are_not():
    analysis = analysed(World(BETTER, QUIET, plans=((1, 5),)))
    (found,) = analysis.of(Scope.PROGRAMS)
    assert found.verdict == "shown"
    assert (found.subject, found.against) == ("simulated/cpu/agent-playbook/0", "simulated/cpu/optuna-tpe/0")
    assert claim(analysis).verdict == "not stated"


def test_better_than_every_baseline_needs_every_baseline():
    """Against one of two it is better, against the other not: the claim is not shown, and nothing is corrected."""
    strong = replace(OPTUNA, label="optuna-gp", trials=4, tuning=0.015, between=0.001)
    analysis = analysed(World((*BETTER, strong), QUIET, plans=((4, 5),)))
    verdicts = {finding.against: finding for finding in analysis.of(Scope.STRATEGIES)}
    assert verdicts["optuna-tpe"].verdict == "shown" and verdicts["optuna-gp"].verdict == "not shown"
    assert claim(analysis).verdict == "not shown" and claim(analysis).p == verdicts["optuna-gp"].p
    assert len(analysis.of(Scope.STRATEGIES)) == 2  # the baselines are no question of this experiment


def test_a_family_that_a_user_names_is_corrected():
    strong = replace(OPTUNA, label="optuna-gp", trials=4)
    world = World((*BETTER, strong), QUIET, plans=((4, 5),))
    named = [("agent-playbook", "optuna-tpe"), ("optuna-tpe", "optuna-gp"), ("agent-playbook", "optuna-gp")]
    alone = analysed(world).of(Scope.STRATEGIES)[0]
    family = analysed(world, named=named).of(Scope.STRATEGIES)
    assert len(family) == 3 and all("3 contrasts (Holm)" in finding.remarks[-1] for finding in family)
    assert family[0].p > alone.p and not analysed(world, named=named).of(Scope.CLAIM)


def test_a_strategy_that_is_worse_is_shown_as_worse():
    worse = replace(BETTER[0], tuning=0.0, code=-0.005)
    found = claim(analysed(World((worse, *BETTER[1:]), QUIET, plans=((5, 5),))))
    assert found.verdict == "reverse shown" and found.estimate.high < 0


def test_equals_are_equivalent_by_a_difference_that_a_user_names():
    equals = (replace(SHORT[0], kinds=("constants",), tuning=0.003), replace(SHORT[1], tuning=0.003), SHORT[2])
    analysis = analysed(World(equals, QUIET, plans=((5, 5),)), delta=0.002)
    (found,) = analysis.of(Scope.STRATEGIES, Name.EQUIVALENCE)
    assert found.verdict == "shown" and claim(analysis).verdict == "not shown"
    (tiny,) = analysed(World(equals, QUIET, plans=((5, 5),)), delta=1e-6).of(Scope.STRATEGIES, Name.EQUIVALENCE)
    assert tiny.verdict == "not shown"


def test_a_program_that_both_found_is_no_difference_by_definition():
    nothing = (replace(SHORT[0], unlucky=1.0), replace(SHORT[1], unlucky=1.0), SHORT[2])
    experiment, _ = simulate(0, World(nothing, plans=((4, 3),)))
    analysis = analyse(experiment)
    assert claim(analysis) is not None and claim(analysis).verdict == "not shown" and claim(analysis).estimate.value == 0
    assert all(finding.estimate.by_definition for finding in analysis.of(Scope.PROGRAM, Name.GAIN))


# ---- what is shown, and the interval beside it ----


def lies_where_it_is_shown(finding, delta: float) -> bool:
    low, high = finding.estimate.low, finding.estimate.high
    if finding.name is Name.EQUIVALENCE:
        return abs(finding.estimate.value) < delta
    if finding.scope is Scope.MACHINE:  # of which no side is claimed
        return not low <= 0 <= high
    if finding.shown:  # one-sided: where it is only just so, the interval may reach past zero
        return finding.estimate.value > 0 and (low > 0 or finding.p > REVERSED)
    return high < 0


@pytest.mark.parametrize("plans", [((4, 5),), ((5, 5), (5, 8))])
def test_an_interval_never_contradicts_what_is_shown_beside_it(plans):
    """Of all kinds, where differences are so small that either side is shown, or none."""
    agent = replace(SHORT[0], tuning=-0.0005, code=0.0008, overfit=0.0003, noise=1.5)
    small, noise = (agent, replace(SHORT[1], tuning=0.0004), SHORT[2]), Noise(restless=0.03, drift=0.003, tails="skewed")
    world = World(small, noise, plans=plans, looks=len(plans), at=(2,))
    decided = [
        finding
        for seed in range(6)
        for finding in analysed(world, seed, delta=0.002).findings
        if finding.verdict in (Verdict.SHOWN, Verdict.REVERSE)
    ]
    assert [finding for finding in decided if not lies_where_it_is_shown(finding, 0.002)] == []
    assert len(decided) > 20 and {finding.verdict for finding in decided} == {Verdict.SHOWN, Verdict.REVERSE}


GAINS = st.lists(st.floats(-1, 1) | st.floats(-30, 30), min_size=4, max_size=7)


@given(GAINS, GAINS)
def test_strategies_are_told_apart_only_where_the_interval_does_so_too(first, second):
    """Whatever the gains look like, and however many there are: one study that found ten times as much is in both."""
    if permutation(first, second) < REVERSED:
        assert advantage(first, second).low > 0
        assert advantage(second, first).high < 0


# ---- looks ----


def test_levels_of_planned_looks_are_the_same_each_time():
    """Beyond two looks, the normal distribution behind them is integrated by random draws."""
    found = level(4, 4)
    planned_levels.cache_clear()
    assert level(4, 4) == found


def test_a_look_that_was_not_planned_is_counted_and_paid_for():
    world = World(BETTER, QUIET, plans=((4, 5), (4, 10), (5, 10)))
    experiments = list(worlds.looks(0, world))
    found = [claim(analyse(experiment)) for experiment in experiments]
    assert [(one.look.number, one.look.planned) for one in found] == [(1, 1), (2, 1), (3, 1)]
    rest = ALPHA * RESERVE
    assert [one.look.level for one in found] == [level(1, 1), rest / 2, rest / 4]
    assert found[0].verdict == "shown" and found[1].verdict == "not stated"  # 1 of 70 ways is not rare enough then
    assert "agent-playbook needs 2 more studies" in found[1].missing[0].what
    program = analyse(experiments[2]).find(Scope.PROGRAM, Name.GAIN, "simulated/cpu/agent-playbook/0")
    assert program.look.number == 2  # the studies that were added since are none of its business


def test_planned_looks_share_what_one_look_has_alone():
    world = World(BETTER, QUIET, plans=((4, 5), (4, 10)), looks=2)
    found = [claim(analyse(experiment)) for experiment in worlds.looks(0, world)]
    assert [one.look.level for one in found] == pytest.approx([level(1, 2), level(2, 2)])
    assert found[0].look.level < 0.01 < found[1].look.level < level(1, 1)


def test_a_plan_that_changes_nothing_of_a_winner_lets_its_share_be_spent():
    """Two looks are planned, and the second adds studies: what one winner gains is looked at once, with all there is."""
    world = World(BETTER, QUIET, plans=((4, 5), (5, 5)), looks=2)
    first, second = (analyse(experiment) for experiment in worlds.looks(0, world))
    gains = [one.find(Scope.PROGRAM, Name.GAIN, "simulated/cpu/agent-playbook/0") for one in (first, second)]
    assert [gain.look.number for gain in gains] == [1, 1]
    assert [gain.look.level for gain in gains] == pytest.approx([level(1, 2), level(1, 1)])
