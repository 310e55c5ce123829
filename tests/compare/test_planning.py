"""Planning, against tables, closed forms and another library."""

from __future__ import annotations

import math

import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from search import plan
from search.compare.analyse import power
from search.console import command_line


@pytest.mark.parametrize(
    ("difference", "sd", "chance", "repeats"),
    [
        (0.001, 0.0005, 0.8, 4),
        (0.001, 0.0005, 0.9, 6),
        (0.001, 0.001, 0.8, 14),
        (0.001, 0.001, 0.9, 18),
        (0.001, 0.002, 0.8, 51),
    ],
)
def test_repeats_as_in_the_tables(difference, sd, chance, repeats):
    assert power.repeats_against_stock(difference, sd, chance) == repeats
    theirs = TTestIndPower().solve_power(difference / sd, alpha=0.05, power=chance, alternative="larger")
    assert math.ceil(theirs) == repeats


def test_power_of_many_searches_is_that_of_the_t_test():
    theirs = TTestPower().power(0.5, 30, 0.05, alternative="larger")
    assert power.sign_flip_power(0.5, 30, 0.05) == pytest.approx(theirs)
    studies = power.studies_needed(power.Variances(between=1.0, own=0.0), 0.5, repeats=5)
    assert studies == math.ceil(TTestPower().solve_power(0.5, alpha=0.05, power=0.8, alternative="larger"))


def test_power_of_five_searches_is_that_all_agree():
    """p can be 1/32, and next 2/32 which is above 0.05: all five differences must be positive."""
    expected = stats.norm.cdf(1.0) ** 5
    assert power.sign_flip_power(1.0, 5, 0.05) == pytest.approx(expected, abs=3 * math.sqrt(0.25 / power.DRAWS))


@pytest.mark.parametrize(("contrasts", "studies"), [(1, 5), (3, 6), (4, 7), (6, 7)])
def test_fewest_searches_that_a_sign_flip_test_can_show(contrasts, studies):
    assert power.fewest_studies(contrasts) == studies
    assert 2.0**-studies <= 0.05 / contrasts < 2.0 ** -(studies - 1)
    assert power.sign_flip_power(100.0, studies - 1, 0.05 / contrasts) == 0


def test_repeats_settle_only_what_is_not_spread_between_searches():
    noisy, spread = power.Variances(between=0.0, own=1.0), power.Variances(between=1.0, own=0.0)
    assert power.repeats_needed(noisy, 0.3, studies=8) > 5
    assert power.repeats_needed(spread, 0.3, studies=8) is None
    detectable = power.detectable(noisy, studies=20, repeats=5)
    assert power.sign_flip_power(detectable / math.sqrt(1 / 5), 20, 0.05) == pytest.approx(0.8, abs=0.01)


def test_control_trials_until_the_mean_is_known():
    trials = power.control_trials(0.5, 1.0)
    for count, wide in ((trials, False), (trials - 1, True)):
        assert (stats.t.ppf(0.975, count - 1) / math.sqrt(count) > 0.5) == wide


# ---- the command ----


def run(line: str) -> int:
    return command_line.run(plan.COMMAND, line.split())


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("sb=1", "sb: no such key"),
        ("differnce=1", "did you mean difference?"),
        ("sd=-1", "sd=-1.0: must be a number above 0"),
        ("sd", "sd: has no value"),
        ("power=1.5", "must be above 0 and below 1"),
        ("repeats=2.5", "whole number"),
        ("difference=0.1", "sd: is not known"),
        ("experiment=nowhere tracking.uri=sqlite:////nowhere/mlflow.db", "there is no such file"),
    ],
)
def test_what_planning_cannot_use_is_named(argument, words, capsys):
    assert run(argument) == 1
    assert words in capsys.readouterr().err


def test_planning_says_what_it_assumes(capsys):
    assert run("sd=0.01 difference=0.01") == 0
    said = capsys.readouterr().out
    assert "between: unknown, taken as 0" in said and "14" in said
