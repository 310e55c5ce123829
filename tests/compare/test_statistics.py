"""The comparison's figures, against what can be worked out by hand or by another road."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from search.compare.analyse import blocks, intervals, looks, probe
from search.compare.analyse.analysis import analyse
from search.compare.analyse.blocks import Score, blocks_of
from search.compare.analyse.effects import Parted, permutation
from search.compare.analyse.finding import ALPHA, Name, Scope
from search.compare.analyse.intervals import Variance, estimated, moderated, pooled_spread, variance_of
from search.compare.analyse.noise import luck_band, noise_of
from search.compare.analyse.programs import holm
from search.compare.analyse.reference import reference_of
from search.compare.truth.trainer import STOCK_BPB, Noise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, simulate

VALUES = st.lists(st.floats(-1, 1), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-6)
EFFECTS = (
    replace(AGENT, tuning=0.001, code=0.002, overfit=0.0005),
    replace(OPTUNA, tuning=0.002),
    CONTROL,
)


# ---- intervals ----


@given(VALUES)
def test_a_mean_has_the_t_interval_and_test(values):
    variance = variance_of(values).over(len(values))
    ours = estimated(float(np.mean(values)), variance)
    theirs = [stats.ttest_1samp(values, 0.0, alternative=side).pvalue for side in ("greater", "less")]
    assert (ours.low, ours.high) == pytest.approx(tuple(stats.ttest_1samp(values, 0.0).confidence_interval(0.95)))
    assert intervals.tested(ours.value, variance) == pytest.approx(tuple(theirs))


@given(VALUES, VALUES)
def test_a_sum_of_variances_is_welchs(first, second):
    total = variance_of(first).over(len(first)) + variance_of(second).over(len(second))
    theirs = stats.ttest_ind(first, second, equal_var=False)
    assert total.degrees == pytest.approx(theirs.df)
    ours = estimated(float(np.mean(first) - np.mean(second)), total)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))


@pytest.mark.parametrize(("trials", "low", "high"), [(3, 0.52, 6.28), (5, 0.60, 2.87), (10, 0.69, 1.83), (20, 0.76, 1.46)])
def test_a_spread_has_the_chi_square_interval(trials, low, high):
    spread = pooled_spread([list(np.linspace(0, 1, trials))])
    assert (spread.low / spread.sd, spread.high / spread.sd) == pytest.approx((low, high), abs=0.006)
    assert pooled_spread([[1.0, 3.0], [101.0, 103.0], [7.0]]).sd == pytest.approx(math.sqrt(2))


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=12))
def test_a_moderated_variance_is_never_below_the_pooled_nor_far_above_its_own(values):
    known = [Variance(value, 4.0) for value in values]
    pooled = float(np.mean(values))
    for mine in known:
        found = moderated(mine, known)
        assert found.value >= pooled * (1 - 1e-9)
        assert (
            found.value <= max(mine.value, pooled) * 1.32
        )  # exp(log 2 - digamma(2)): what 4 degrees of freedom do to a mean of logs
        assert 4.0 <= found.degrees <= 4.0 * len(values) + 1e-9


def test_variances_that_are_alike_are_pooled_and_an_outlier_keeps_its_own():
    alike = [Variance(value, 4.0) for value in (0.9, 1.0, 1.1, 1.0)]
    assert moderated(alike[0], alike) == Variance(1.0, 16.0)
    unlike = [Variance(value, 40.0) for value in (0.01, 1.0, 100.0)]
    assert moderated(unlike[2], unlike).value > 90
    assert moderated(alike[0], []) == alike[0]


# ---- tests ----


@pytest.mark.parametrize(("first", "second"), [(3, 3), (4, 4), (5, 4), (2, 6)])
def test_a_permutation_test_counts_every_way_to_part_the_studies(first, second):
    random = np.random.default_rng(first)
    x, y = random.normal(0.5, 1, first), random.normal(0, 1, second)
    everything = np.concatenate([x, y])
    means = []
    for chosen in itertools.combinations(range(first + second), first):
        rest = [place for place in range(first + second) if place not in chosen]
        means.append(stats.ttest_ind(everything[list(chosen)], everything[rest], equal_var=False).statistic)
    expected = np.mean(np.array(means) >= means[0] - 1e-9)
    assert permutation(x, y) == pytest.approx(expected)


@pytest.mark.parametrize("less", [-2.0, 0.3, 1.0])
def test_studies_are_parted_once_for_every_difference(less):
    x, y = np.split(np.random.default_rng(0).normal(size=9), [5])
    assert Parted(x, y).share_ahead(less) == Parted(x - less, y).share_ahead()


def test_four_studies_each_can_be_shown_and_three_cannot():
    assert permutation([1, 1.1, 1.2, 1.3], [0, 0.1, 0.2, 0.3]) == pytest.approx(1 / 70)
    assert permutation([1, 1.1, 1.2], [0, 0.1, 0.2]) == pytest.approx(1 / 20) and looks.level(1, 1) < 1 / 20


def test_holm_as_in_the_textbook():
    """Holm 1979 as Wikipedia works it out: 0.01, 0.04, 0.03, 0.005."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_looks_have_the_published_bounds():
    """Lan and DeMets' O'Brien-Fleming bounds at one-sided 0.025 with five looks, as ldbounds and gsDesign print them."""
    levels = looks.planned_levels((1, 2, 3, 4, 5), (0.2, 0.4, 0.6, 0.8, 1.0), 0.025)
    assert list(stats.norm.isf(levels)) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=3e-3)


@pytest.mark.parametrize("planned", [1, 2, 4])
def test_all_looks_together_stay_within_alpha(planned):
    """Planned ones by simulation, those that nobody planned by their sum."""
    scores = np.cumsum(np.random.default_rng(0).standard_normal((40_000, planned)), axis=1)
    scores /= np.sqrt(np.arange(1, planned + 1))
    bounds = stats.norm.isf([looks.level(look, planned) for look in range(1, planned + 1)])
    unplanned = sum(ALPHA * looks.RESERVE / 2**late for late in range(1, 30))
    assert np.mean((scores > bounds).any(axis=1)) + unplanned < ALPHA + 0.003


# ---- luck ----


@pytest.mark.parametrize("draws", [1, 6, 12])
def test_the_best_of_new_draws_is_in_the_band_as_often_as_it_says(draws):
    random = np.random.default_rng(draws)
    inside = 0
    for _ in range(150):
        low, high = luck_band(list(random.normal(size=12))).at(draws)
        inside += low <= random.normal(size=draws).min() <= high
    assert stats.binomtest(inside, 150, 0.9).pvalue > 0.001


def test_the_band_is_broken_off_where_it_would_be_extrapolation():
    band = luck_band([1.0, 2.0, 3.0])
    assert len(band.low) == 3 and band.at(4) is None and band.at(0) is None
    assert luck_band([1.0]) is None


# ---- blocks ----


def searched(experiment):
    return [study for study in experiment.studies if not study.is_control]


def by_hand(experiment, study, arm, split):
    """Gains by repeat: the mean of the stock's runs less the arm's, of rows that were trained side by side."""
    rows = [row for row in experiment.confirmation.rows if row.search_seed == study.search_seed]
    found = []
    for repeat in sorted({row.repeat for row in rows}):
        stock = [getattr(row, split) for row in rows if (row.repeat, row.arm) == (repeat, "stock")]
        mine = [getattr(row, split) for row in rows if (row.repeat, row.arm) == (repeat, arm)]
        found.append(np.mean(stock) - mine[0])
    return found


def test_what_a_claim_is_made_of_adds_up_and_is_what_it_is_by_hand():
    experiment, _ = simulate(0, World(EFFECTS, plans=((4, 3),)))
    analysis = analyse(experiment)
    for study in searched(experiment):
        parts = {name: analysis.find(Scope.PROGRAM, name, study.identity).estimate.value for name in list(Name)[:7]}
        lost = parts[Name.LUCK] + parts[Name.OTHER_TEXT] + parts[Name.OVERFITTING]
        assert parts[Name.CLAIMED] == pytest.approx(lost + parts[Name.GAIN])
        assert parts[Name.GAIN] == pytest.approx(parts[Name.TUNING] + parts[Name.CODE])
        arm = experiment.confirmation.studies[study.identity].winner.name
        assert parts[Name.GAIN] == pytest.approx(np.mean(by_hand(experiment, study, arm, "confirmation_bpb")))
        gain = analysis.find(Scope.PROGRAM, Name.GAIN, study.identity).estimate
        validation = parts[Name.CLAIMED] - parts[Name.LUCK]
        assert validation == pytest.approx(np.mean(by_hand(experiment, study, arm, "val_bpb")))
        assert gain.low < gain.value < gain.high
    means = {name: analysis.find(Scope.STRATEGY, name, "agent-playbook").estimate.value for name in list(Name)[:7]}
    lost = means[Name.LUCK] + means[Name.OTHER_TEXT] + means[Name.OVERFITTING]
    assert means[Name.CLAIMED] == pytest.approx(lost + means[Name.GAIN])


@pytest.mark.parametrize("overfit", [0.0, 0.001])
def test_an_easier_unseen_text_is_no_overfitting(overfit):
    """Gains scale with a text's difficulty: on a text that is 8 % easier, a gain of 0.005 is smaller by 0.0004."""
    rivals = (replace(AGENT, code=0.005, overfit=overfit), OPTUNA, CONTROL)
    experiment, _ = simulate(0, World(rivals, Noise(unseen=0.92), plans=((4, 5),)))
    analysis = analyse(experiment)
    mine = [study for study in searched(experiment) if study.strategy == "agent-playbook"]
    arms = [(study, experiment.confirmation.studies[study.identity].winner.name) for study in mine]
    plain = [
        np.subtract(by_hand(experiment, *one, "val_bpb"), by_hand(experiment, *one, "confirmation_bpb")) for one in arms
    ]
    assert all(stats.ttest_1samp(one, 0.0, alternative="greater").pvalue < 0.05 for one in plain)  # which is not the text's
    found = analysis.find(Scope.STRATEGY, Name.OVERFITTING, "agent-playbook")
    other = analysis.find(Scope.STRATEGY, Name.OTHER_TEXT, "agent-playbook")
    assert found.shown is (overfit > 0) and found.estimate.low < 0.92 * overfit < found.estimate.high
    assert other.estimate.value == pytest.approx(0.08 * (0.005 + overfit), abs=0.0001) and other.verdict == "measured"


def test_arms_of_a_later_visit_are_held_against_the_stock_of_that_visit():
    """The machine got much slower before three studies were added: gains know nothing of it."""
    world = World(EFFECTS, Noise(sd=1e-6, again=1e-6), plans=((2, 3), (4, 3)), at=())
    experiment, truths = simulate(1, world)
    rows = experiment.confirmation.rows
    slow = [replace(row, confirmation_bpb=row.confirmation_bpb + 0.1) if row.visit else row for row in rows]
    experiment = replace(experiment, confirmation=replace(experiment.confirmation, rows=tuple(slow)))
    for study in searched(experiment):
        found = analyse(experiment).find(Scope.PROGRAM, Name.GAIN, study.identity)
        assert found.estimate.value == pytest.approx(truths[study.identity].gain, abs=1e-5)


def test_a_repeat_that_fails_where_the_stock_does_not_counts_as_the_worst():
    experiment, _ = simulate(2, World(EFFECTS, plans=((4, 5),)))
    arm = experiment.confirmation.studies["simulated/cpu/agent-playbook/0"].winner.name
    rows = [
        replace(row, status="diverged", val_bpb=None, confirmation_bpb=None, audited=False)
        if (row.arm, row.repeat) == (arm, 0)
        else row
        for row in experiment.confirmation.rows
    ]
    failed = replace(experiment, confirmation=replace(experiment.confirmation, rows=tuple(rows)))
    found = analyse(failed).find(Scope.PROGRAM, Name.GAIN, "simulated/cpu/agent-playbook/0")
    assert found.verdict == "not shown" and "failed in 1 of 5 repeats" in found.remarks[0]
    before = analyse(experiment).find(Scope.PROGRAM, Name.GAIN, "simulated/cpu/agent-playbook/0")
    assert before.verdict == "shown" and found.estimate.value < before.estimate.value
    worst = blocks_of(failed.confirmation).worst
    assert found.estimate.value == worst <= 0 and found.repeats == 5
    assert analyse(failed).find(Scope.PROGRAM, Name.LUCK, "simulated/cpu/agent-playbook/0") is None  # it was no bad luck


def test_a_winner_that_always_fails_is_said_to_fail():
    experiment, _ = simulate(2, World(EFFECTS, plans=((4, 5),)))
    arm = experiment.confirmation.studies["simulated/cpu/agent-playbook/0"].winner.name
    rows = [
        replace(row, status="crashed", val_bpb=None, confirmation_bpb=None, audited=False) if row.arm == arm else row
        for row in experiment.confirmation.rows
    ]
    failed = replace(experiment, confirmation=replace(experiment.confirmation, rows=tuple(rows)))
    found = analyse(failed).find(Scope.PROGRAM, Name.GAIN, "simulated/cpu/agent-playbook/0")
    assert found.verdict == "not shown" and found.remarks[0] == "it failed in 5 of 5 repeats in which the stock trained well"
    claim = analyse(failed).find(Scope.CLAIM, Name.ADVANTAGE, "agent-playbook")
    assert "1 of the winners failed where the stock trained well" in claim.remarks


def test_a_block_whose_stock_failed_says_nothing_of_anybody():
    experiment, _ = simulate(2, World(EFFECTS, plans=((4, 5),)))
    rows = [
        replace(row, status="crashed", val_bpb=None, confirmation_bpb=None, audited=False)
        if (row.search_seed, row.repeat) == (0, 0)
        else row
        for row in experiment.confirmation.rows
    ]
    found = blocks_of(replace(experiment.confirmation, rows=tuple(rows)))
    assert not found.failed
    assert (0, 0) not in {key for cells in found.gains[Score.UNSEEN].values() for key in cells}


# ---- the machine ----


def test_a_probe_takes_the_machine_out_of_scores_where_it_explains_them():
    restless = Noise(sd=0.0005, again=0.0001, restless=0.05, probed=True)
    experiment, truths = simulate(3, World(EFFECTS, restless))
    probed = analyse(experiment)
    rows = tuple(replace(row, probe_before=None) for row in experiment.confirmation.rows)
    unprobed = analyse(replace(experiment, confirmation=replace(experiment.confirmation, rows=rows)))
    effect = probed.confirmation.probe
    assert effect.slope.low < 0.00058 < effect.slope.high and effect.share > 0.5
    assert unprobed.confirmation.probe is None
    study = "simulated/cpu/agent-playbook/0"
    widths = [
        (found.estimate.high - found.estimate.low, abs(found.estimate.value - truths[study].gain))
        for found in (analysis.find(Scope.PROGRAM, Name.GAIN, study) for analysis in (probed, unprobed))
    ]
    assert widths[0][0] < 0.5 * widths[1][0]


def test_a_probe_that_explains_nothing_is_not_adjusted_by():
    experiment, _ = simulate(4, World(EFFECTS))
    noise = np.random.default_rng(0).lognormal(0, 0.05, len(experiment.confirmation.rows))
    rows = [replace(row, probe_before=value) for row, value in zip(experiment.confirmation.rows, noise, strict=True)]
    assert probe.effect_of([row for row in rows if blocks.counts(row)]) is None


def test_a_claim_is_measured_against_the_stock_of_its_own_hour():
    """The control ran while the machine was 5 % faster: a claim against it would hold that against the study."""
    experiment, truths = simulate(5, World(EFFECTS, Noise(sd=0.0001, again=0.0001)))
    slower = []
    for study in experiment.studies:
        shift = 0.0 if study.is_control else 0.003
        rows = [replace(row, val_bpb=row.val_bpb + shift, score=row.score and row.score + shift) for row in study.rows]
        slower.append(replace(study, rows=tuple(rows)))
    experiment = replace(experiment, studies=tuple(slower))
    noise = noise_of(experiment)
    for study in searched(experiment):
        found = reference_of(study, study.winner, noise)
        assert found.value == pytest.approx(STOCK_BPB + 0.003, abs=0.0006)
        luck = analyse(experiment).find(Scope.PROGRAM, Name.LUCK, study.identity).estimate
        assert luck.value == pytest.approx(truths[study.identity].luck, abs=0.0006)


def test_drift_of_studies_is_pooled_and_a_steady_machine_shows_none():
    drifting, _ = simulate(6, World(EFFECTS, Noise(drift=0.05)))
    found = {finding.subject: finding for finding in analyse(drifting).of(Scope.MACHINE, Name.DRIFT)}
    assert found["the studies"].shown and found["the confirmation"].shown
    assert found["the studies"].estimate.low < 0.05 * 0.058 < found["the studies"].estimate.high
    assert analyse(drifting).machine.moves
    steady, _ = simulate(6, World(EFFECTS))
    assert not analyse(steady).machine.moves
