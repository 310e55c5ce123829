"""What a confirmation trains of each study, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.config.commands import ConfirmConfig
from search.config.messages import UserError
from search.config.schema import BudgetConfig
from search.confirm.announce import unplanned
from search.confirm.plan import STOCK, Plan, check_budgets, check_worthwhile, report, screening
from search.confirm.settings import first_settings, later_settings
from search.confirm.studies import check_comparable
from search.study import source
from tests.confirm.records import SETTINGS, TEXT, entry, stock_arm, tuned


def planned(studies, settings=SETTINGS, screened=None):
    arms = stock_arm()
    return report(studies, arms, settings, screened or {}), arms


def test_a_winner_is_trained_beside_the_stock_and_its_constants_alone(finished):
    both = tuned(0.25).replace("DEPTH * RATE", "DEPTH + RATE") + "NEW = 3\n"
    plan, arms = planned([finished(0, entry(4, both, 1.5))])
    (study,) = plan.studies.values()
    assert study["winner"] == {"trial": 4, "arm": "optuna, search seed 0, trial 4"} and study["search_seed"] == 0
    assert study["left_in_code"] == ["NEW"]
    assert arms.texts[study["constants"]] == tuned(0.25)
    assert set(plan.arms) == {STOCK, study["winner"]["arm"], study["constants"]}
    assert Plan.from_record(plan.record()) == plan


def test_programs_that_are_the_same_are_trained_once(finished):
    plan, _ = planned(
        [
            finished(0, entry(3, TEXT + "# the stock, with a comment\n", 1.9)),
            finished(1, entry(2, tuned(0.25), 1.8)),
            finished(2, entry(9, tuned(0.25), 1.8)),
            finished(3, entry(1, TEXT.replace("DEPTH * RATE", "DEPTH + RATE"), 1.7)),
        ]
    )
    winners = [study["winner"]["arm"] for study in plan.studies.values()]
    shared = "optuna, search seed 1, trial 2"
    assert winners == [STOCK, shared, shared, "optuna, search seed 3, trial 1"]
    # Changed constants only: they are the winner. Changed none: they are the stock.
    assert [study["constants"] for study in plan.studies.values()] == [None, None, None, STOCK]
    # A stock that won needs no block of its own; a program that won twice is trained in the blocks of both.
    assert plan.arms_of_seeds() == {1: {shared}, 2: {shared}, 3: {"optuna, search seed 3, trial 1"}}


def test_the_winner_is_what_the_strategy_kept(finished):
    lucky = entry(2, tuned(0.1), 1.0, kept=False)
    plan, _ = planned([finished(0, entry(1, tuned(0.25), 1.8), lucky)])
    assert plan.studies["e/smoke/optuna/0"]["winner"]["trial"] == 1


def test_winners_as_of_smaller_budgets_are_arms_of_their_own_where_they_differ(finished):
    study = finished(
        0, *(entry(number, tuned(number / 10), 2 - number / 10, kept=number in (1, 4)) for number in range(1, 8))
    )
    plan, _ = planned([study, finished(1, entry(1, tuned(0.9), 1.9))], replace(SETTINGS, at=[2, 5, 7, 20]))
    first, second = (f"optuna, search seed 0, trial {number}" for number in (1, 4))
    at = plan.studies[study.identity]["at"]
    assert at == {"2": {"trial": 1, "arm": first}, "5": {"trial": 4, "arm": second}, "7": {"trial": 4, "arm": second}}
    assert plan.studies["e/smoke/optuna/1"]["at"] == {}  # it has two trials: its winner is the final one
    assert plan.arms_of_seeds()[0] == {first, second}
    check_budgets([study], [7])
    with pytest.raises(UserError, match=r"at=8: no study has more .*apart from the control, the longest has 8"):
        check_budgets([study], [2, 8])


def test_screening_chooses_among_the_best_and_is_not_reported(finished):
    rates = (0.1, 0.2, 0.3)
    several = finished(
        0, *(entry(number, tuned(rate), 1.5 + number / 10, number == 1) for number, rate in enumerate(rates, 1))
    )
    one = finished(1)
    arms, settings = stock_arm(), replace(SETTINGS, top=2)
    plan = screening([several, one], arms, settings)
    assert plan.studies.keys() == {several.identity} and plan.repeats == 3
    names = [candidate["arm"] for candidate in plan.studies[several.identity]["screened"]]
    assert names == [f"optuna, search seed 0, trial {number}" for number in (1, 2)]
    chosen = report([several, one], arms, settings, {(0, names[0]): 1.9, (0, names[1]): 1.8, (1, names[0]): 1.0})
    assert chosen.studies[several.identity]["winner"]["arm"] == names[1]


def test_a_plan_that_nobody_can_benefit_from_is_refused(finished):
    stocks = [
        finished(0, entry(1, TEXT + "# fresh seed\n", 1.9), strategy="seeds"),
        finished(0, entry(1, tuned(0.1), 2.5, False)),
    ]
    with pytest.raises(UserError, match="every winner is the stock itself") as refused:
        check_worthwhile(stocks, SETTINGS)
    assert str(refused.value).count("\n") == 1
    check_worthwhile(stocks, replace(SETTINGS, top=2))


def test_what_was_fixed_when_it_began_stays(finished):
    asked = ConfirmConfig(experiment="e", repeats=3, looks=2, at=[30, 10, 30])
    begun = first_settings(asked, BudgetConfig(seconds=300))
    assert (begun.repeats, begun.looks, begun.stock_runs, begun.at, begun.top) == (3, 2, 3, [10, 30], 1)
    assert first_settings(asked, BudgetConfig(tokens=10)).stock_runs == 1  # the same run again would say nothing
    assert later_settings(ConfirmConfig(experiment="e"), begun) == begun
    assert later_settings(ConfirmConfig(experiment="e", repeats=4, looks=2, at=[20]), begun) == replace(
        begun, repeats=4, at=[10, 20, 30]
    )
    for key, value, message in (
        ("repeats", 2, "repeats=2: this confirmation was planned with 3.*Give repeats=3 or more"),
        ("looks", 3, "looks=3: this confirmation began with looks=2"),
        ("stock_runs", 1, "stock_runs=1: this confirmation began with stock_runs=3"),
    ):
        with pytest.raises(UserError, match=f"(?s){message}"):
            later_settings(ConfirmConfig(experiment="e", **{key: value}), begun)


def test_a_look_that_was_not_planned_is_said(finished):
    plan, _ = planned([finished(0)], replace(SETTINGS, looks=2))
    assert unplanned(plan, 2) is None and "this is an unplanned look: looks=2" in unplanned(plan, 3)


def test_studies_that_cannot_be_compared_are_not_confirmed(finished):
    good = finished(0)
    with pytest.raises(UserError, match=r"device=cuda.*never compared"):
        check_comparable([good, finished(1, task={"device": "cuda"})])
    capped = finished(1, task={"device": "cpu", "vram_gb": 24.0})
    for first, second in ((good, capped), (capped, good)):  # a setting that only one of them has
        with pytest.raises(UserError, match=r"vram_gb=.*never compared"):
            check_comparable([first, second])
    with pytest.raises(UserError, match="starts from another program"):
        check_comparable([good, finished(1, stock="t")])
    with pytest.raises(UserError, match="has not kept a trial with a score"):
        check_comparable([good, replace(finished(1), entries=())])


def test_a_changed_constant_is_carried_over_whatever_way_it_is_written(finished):
    code = TEXT.replace("RATE = 0.5", "RATE = 1 / 4").replace("DEPTH * RATE", "DEPTH + RATE")
    plan, arms = planned([finished(0, entry(1, code, 1.5))])
    (study,) = plan.studies.values()
    assert source.constants(arms.texts[study["constants"]])["RATE"] == 0.25
