"""The comparison's figures, against what can be worked out by hand or by another road."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from search.compare.analyse.analysis import analyse
from search.compare.analyse.gains import evidence_of, study_result
from search.compare.analyse.headline import holm, sign_flip
from search.compare.analyse.intervals import Combination, mean_estimate, mean_over_studies, pooled_spread
from search.compare.analyse.noise import drift, same_seed
from search.compare.analyse.null import best_of_subsets, expected_normal_minimum, null_band
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, simulate, simulate_experiment

SCORES = st.lists(st.floats(2.0, 3.0), min_size=2, max_size=8).filter(lambda values: np.std(values) > 1e-6)
STOCK_MINUS_WINNER = Combination({"stock": 1.0, "winner": -1.0})


# ---- intervals ----


@given(SCORES, SCORES)
def test_stock_minus_winner_is_welch(stock, winner):
    samples = {"stock": stock, "winner": winner}
    ours = STOCK_MINUS_WINNER.estimate(samples)
    theirs = stats.ttest_ind(stock, winner, equal_var=False).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    one_sided = stats.ttest_ind(stock, winner, equal_var=False, alternative="greater").pvalue
    assert STOCK_MINUS_WINNER.p_not_above_zero(samples) == pytest.approx(one_sided)


@given(SCORES)
def test_a_mean_has_the_t_interval(values):
    ours = mean_estimate(values)
    theirs = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize(("trials", "low", "high"), [(3, 0.52, 6.28), (5, 0.60, 2.87), (10, 0.69, 1.83), (20, 0.76, 1.46)])
def test_a_spread_has_the_chi_square_interval(trials, low, high):
    spread = pooled_spread([list(np.linspace(0, 1, trials))])
    assert (spread.low / spread.sd, spread.high / spread.sd) == pytest.approx((low, high), abs=0.006)


def test_a_pooled_spread_is_within_groups_only():
    spread = pooled_spread([[1.0, 3.0], [101.0, 103.0], [7.0]])
    assert (spread.sd, spread.degrees) == (pytest.approx(math.sqrt(2)), 2)
    assert pooled_spread([[1.0], [2.0]]) is None


def test_a_combination_without_programs_is_so_by_definition():
    found = (STOCK_MINUS_WINNER - STOCK_MINUS_WINNER + Combination(constant=0.5)).estimate({})
    assert found.by_definition and (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert Combination({"stock": 1.0}).estimate({"stock": [2.0]}).low is None


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-6))
def test_searches_that_share_nothing_have_the_paired_interval(differences):
    samples = {f"{name}{i}": [value, value] for i, d in enumerate(differences) for name, value in (("a", 0.0), ("b", d))}
    studies = [Combination({f"b{i}": 1.0, f"a{i}": -1.0}) for i in range(len(differences))]
    mean = mean_over_studies(studies, samples)
    theirs = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    assert not mean.shared
    assert (mean.estimate.low, mean.estimate.high) == pytest.approx((theirs.low, theirs.high))


@given(SCORES, SCORES)
def test_searches_that_all_share_one_program_have_welchs_interval(winners, stock):
    samples = {"stock": stock, **{str(i): [score, score] for i, score in enumerate(winners)}}
    mean = mean_over_studies([Combination({"stock": 1.0, str(i): -1.0}) for i in range(len(winners))], samples)
    theirs = stats.ttest_ind(stock, winners, equal_var=False).confidence_interval(0.95)
    assert mean.shared
    assert (mean.estimate.low, mean.estimate.high) == pytest.approx((theirs.low, theirs.high))


# ---- tests ----


@pytest.mark.parametrize("count", [2, 3, 6, 9])
@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_sign_flips_are_all_enumerated(count, alternative):
    values = np.random.default_rng(count).normal(0.3, 1, count)
    sums = [float(np.dot(signs, values)) for signs in itertools.product((1, -1), repeat=count)]
    observed = values.sum()
    extreme = [s >= observed - 1e-12 if alternative == "greater" else s <= observed + 1e-12 for s in sums]
    assert sign_flip(values, alternative) == pytest.approx(np.mean(extreme))


def test_six_searches_that_all_agree_have_the_smallest_p():
    assert sign_flip([0.1, 0.2, 0.3, 0.1, 0.2, 0.3], "greater") == pytest.approx(1 / 64)
    assert sign_flip([0.0] * 6, "greater") == 1.0


def test_holm_as_in_the_textbook():
    """Holm 1979 as Wikipedia works it out: 0.01, 0.04, 0.03, 0.005."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_contrast_that_is_not_stated_makes_the_others_no_cheaper():
    assert holm([0.01, None, None]) == [pytest.approx(0.03), None, None]
    assert holm([]) == []


# ---- null band ----


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, 0.0), (2, -1 / math.sqrt(math.pi)), (3, -1.5 / math.sqrt(math.pi)), (10, -1.538753), (100, -2.507594)],
)
def test_expected_minimum_of_normal_draws(n, expected):
    assert expected_normal_minimum(n) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_best_of_n_is_the_mean_over_all_subsets(n):
    scores = [2.1, 2.5, 2.2, 2.9, 2.4, 2.3, 2.35, 2.6]
    subsets = [min(subset) for subset in itertools.combinations(scores, n)]
    band = null_band(scores, 20)
    assert band.expected[n - 1] == pytest.approx(np.mean(subsets))
    for found, quantile in ((band.low, 0.05), (band.median, 0.5), (band.high, 0.95)):
        assert found[n - 1] == pytest.approx(np.quantile(subsets, quantile, method="inverted_cdf"))
    assert best_of_subsets(len(scores), n).sum() == pytest.approx(1.0)


def test_a_large_control_does_not_overflow():
    shares = best_of_subsets(10_000, 300)
    assert shares.sum() == pytest.approx(1.0) and shares[0] == pytest.approx(0.03)


def test_beyond_half_the_control_the_band_is_a_labelled_extrapolation():
    scores = [2.1, 2.5, 2.2, 2.9, 2.4, 2.3]
    mean, sd = np.mean(scores), np.std(scores, ddof=1)
    band = null_band(scores, 50)
    assert band.measured_to == 3 and band.n == tuple(range(1, 51))
    assert band.expected[9] == pytest.approx(mean - 1.538753 * sd, abs=1e-5)
    assert stats.norm.sf((band.median[9] - mean) / sd) ** 10 == pytest.approx(0.5)
    assert stats.norm.sf((band.low[9] - mean) / sd) ** 10 == pytest.approx(0.95)
    assert list(band.expected[3:]) == sorted(band.expected[3:], reverse=True)


# ---- what explains the noise ----


def test_drift_is_the_slope_of_the_anchors():
    study = simulate_experiment(0, World(anchor_every=2)).studies[0]
    runs = [row for row in study.rows if row.origin in ("stock", "anchor")]
    moved = {row.number: replace(row, val_bpb=2.0 + 0.1 * row.started / 3600) for row in runs}
    found = drift(replace(study, rows=tuple(moved.get(row.number, row) for row in study.rows)))
    assert found.slope.value == pytest.approx(0.1) and found.p < 1e-6 and found.runs == len(runs)
    assert drift(replace(study, rows=study.rows[:2])) is None


def test_same_seed_spread_is_smaller_than_that_of_fresh_seeds():
    noise = analyse(simulate_experiment(1, World(anchor_every=2))).noise
    assert noise.same_seed.within_studies.degrees > 100
    assert noise.same_seed.within_studies.high < noise.control.sd.low
    assert same_seed(()).within_studies is None


# ---- gains ----

KINDS = st.lists(st.sampled_from(("constants", "code", "both")), min_size=1, max_size=3).map(tuple)


@settings(max_examples=25)
@given(st.integers(0, 10_000), KINDS, st.floats(-0.02, 0.05), st.floats(-0.02, 0.05), st.floats(0, 0.05))
def test_the_parts_add_up_to_the_claim(seed, kinds, tuning, code, hourly):
    agent = replace(AGENT, kinds=kinds, tuning=tuning, code=code, trials=5)
    world = World((agent, replace(OPTUNA, trials=2), replace(CONTROL, trials=4)), studies=2, drift=hourly, repeats=3)
    experiment = simulate_experiment(seed, world)
    for alone in (experiment, replace(experiment, studies=experiment.studies[:2])):  # with a control, and without
        evidence = evidence_of(alone, None)
        for study in alone.studies:
            parts = study_result(study, evidence).confirmed.decomposition
            four = (parts.luck, parts.stock_shift, parts.tuning, parts.code_and_interaction)
            assert parts.claimed == pytest.approx(sum(part.value for part in four))


@pytest.mark.parametrize(("kind", "zero"), [("constants", "code_and_interaction"), ("code", "tuning")])
def test_what_a_winner_did_not_change_is_zero_by_definition(kind, zero):
    agent = replace(AGENT, kinds=(kind,), tuning=0.1, code=0.1)
    result = analyse(simulate_experiment(0, World((agent, CONTROL)))).studies[0]
    parts = result.confirmed.decomposition
    assert result.kind == kind and getattr(parts, zero).by_definition and getattr(parts, zero).value == 0
    assert not parts.luck.by_definition


def test_constants_are_shown_with_both_values_and_what_stayed_in_code():
    agent = replace(AGENT, kinds=("both",), tuning=0.1, code=0.1)
    result = analyse(simulate_experiment(0, World((agent, CONTROL)))).studies[0]
    assert [(c.name, c.stock, c.winner) for c in result.constants] == [("DEPTH", 1, 2), ("MATRIX_LR", 0.013, 0.02)]
    assert result.left_in_code == ("NEW_CONSTANT",) and [edit.trial for edit in result.edits] == [result.winner]


def test_overfitting_is_the_gain_that_only_validation_sees():
    agent = replace(AGENT, kinds=("code",), code=0.1, overfit=0.03)
    experiment, truths = simulate(0, World((agent, CONTROL)))
    found = analyse(experiment).strategies[0]
    truth = truths[experiment.studies[0].identity]
    assert truth.gain_on_validation - truth.gain == pytest.approx(0.03)
    assert found.overfitting.low < 0.03 < found.overfitting.high and found.overfitting.low > 0
    assert found.gain_on_validation.value - found.gain.value == pytest.approx(found.overfitting.value)
