"""In which order a confirmation trains, under which seeds, and what it trains when more is asked for."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from search.config.schema import StudyConfig
from search.confirm.blocks import FIRST, STAGES, Blocks, Run, schedule, seed_of
from search.confirm.plan import STOCK, report, screening
from search.executor.drive import drive
from search.study.budget import Budget
from search.study.journal import Journal
from search.study.seeds import training_seed
from search.study.study import Study
from search.testing.synthetic import Dies, DiesAt, Nowhere, OneByOne, Silent, SyntheticRunner
from tests.confirm.records import SETTINGS, TEXT, entry, stock_arm, tuned


@pytest.fixture
def studies(finished):
    """Two strategies on two search seeds, with a winner each."""
    return [
        finished(seed, entry(1, tuned(0.1 + seed / 10 + place / 100), 1.5), strategy=strategy)
        for seed in (0, 1)
        for place, strategy in enumerate(("agent", "optuna"))
    ]


def plans_of(studies, *settings):
    arms = stock_arm()
    return [report(studies, arms, each, {}) for each in settings], arms


def test_a_block_has_one_seed_and_in_it_every_arm_once_and_the_stock_more_often(studies):
    plans, _ = plans_of(studies, SETTINGS)
    first, *runs = schedule(plans)
    assert first == FIRST and first.replicate == 0  # the study loop begins with replicate 0 of the stock
    for seed in (0, 1):
        for repeat in range(5):
            block = [run for run in runs if (run.search_seed, run.repeat) == (seed, repeat)]
            winners = {f"{strategy}, search seed {seed}, trial 1": 1 for strategy in ("agent", "optuna")}
            assert Counter(run.arm for run in block) == {STOCK: 3, **winners}
            assert len({seed_of(run.replicate) for run in block}) == 1
            assert sorted(run.run for run in block if run.arm == STOCK) == [0, 1, 2]
    assert len(runs) == 50
    repeats = [run.repeat for run in runs]
    assert repeats == sorted(repeats)  # drift hits all search seeds alike


def test_no_two_blocks_and_no_study_share_a_seed():
    blocks = [Run(stage, seed, repeat, 0, STOCK) for stage in STAGES for seed in range(20) for repeat in range(20)]
    seeds = {seed_of(run.replicate) for run in blocks}
    assert len(seeds) == len(blocks)
    assert not seeds & {training_seed(seed, replicate) for seed in range(50) for replicate in range(50)}


@given(draw.lists(draw.tuples(draw.integers(0, 2**31 - 1), draw.integers(0, 9_999), draw.integers(0, 4_095)), max_size=9))
def test_a_replicate_number_says_what_was_trained(runs):
    made = {(stage, *run): Run(stage, *run[:2], 0, STOCK, run[2]).replicate for run in runs for stage in STAGES}
    assert len(set(made.values())) == len(made) and all(0 <= number < 2**63 for number in made.values())
    for (stage, seed, repeat, _), number in made.items():
        assert seed_of(number) == seed_of(Run(stage, seed, repeat, 0, "another").replicate)


def test_the_order_is_random_favours_nobody_and_is_always_the_same(studies):
    plans, _ = plans_of(studies, replace(SETTINGS, repeats=200, stock_runs=1))
    runs = schedule(plans)
    assert runs == schedule(plans)
    other, _ = plans_of(studies, replace(SETTINGS, repeats=200, stock_runs=1, order_seed=8))
    assert runs != schedule(other) and sorted(map(repr, runs)) == sorted(map(repr, schedule(other)))
    blocks = [runs[at : at + 3] for at in range(1, len(runs), 3)]
    orders = Counter(tuple(run.arm.partition(",")[0] for run in block) for block in blocks)
    assert len(orders) == 6 and max(orders.values()) < 2 * min(orders.values())
    assert abs(statistics.mean(block[0].search_seed for block in blocks[::2]) - 0.5) < 0.15  # which one is trained first


def test_more_repeats_only_add_blocks(studies):
    plans, _ = plans_of(studies, replace(SETTINGS, repeats=2), replace(SETTINGS, repeats=3))
    before, after = schedule(plans[:1]), schedule(plans)
    assert after[: len(before)] == before
    assert {(run.repeat, run.visit) for run in after[len(before) :]} == {(2, 0)} and len(after) - len(before) == 10


def test_what_is_added_later_is_trained_beside_the_stock_again(studies, finished):
    plans, arms = plans_of(studies, replace(SETTINGS, repeats=2))
    late = finished(1, entry(1, tuned(0.9), 1.5), strategy="late"), finished(5, entry(1, tuned(0.8), 1.5), strategy="late")
    plans.append(report([*studies, *late], arms, replace(SETTINGS, repeats=2), {}))
    before, after = schedule(plans[:1]), schedule(plans)
    assert after[: len(before)] == before
    added = after[len(before) :]
    assert Counter((run.search_seed, run.visit, run.arm) for run in added) == {
        (1, 1, STOCK): 6,
        (1, 1, "late, search seed 1, trial 1"): 2,
        (5, 0, STOCK): 6,
        (5, 0, "late, search seed 5, trial 1"): 2,
    }
    again = [run for run in added if (run.search_seed, run.repeat, run.arm) == (1, 0, STOCK)]
    assert sorted(run.run for run in again) == [3, 4, 5]  # they count on
    assert len({run.replicate for run in after if run.arm == STOCK}) == sum(run.arm == STOCK for run in after)


def test_candidates_are_screened_in_blocks_of_their_own(finished):
    study = finished(4, entry(1, tuned(0.1), 1.5), entry(2, tuned(0.2), 1.6, kept=False))
    arms, settings = stock_arm(), replace(SETTINGS, top=3)
    plan = screening([study], arms, settings)
    runs = schedule([plan])[1:]
    assert {run.arm for run in runs} == {STOCK, *(f"optuna, search seed 4, trial {number}" for number in (1, 2))}
    assert len(runs) == 9 and {run.stage for run in runs} == {"screening"}
    reported = schedule([plan, report([study], arms, settings, {})])[10:]
    assert not {seed_of(run.replicate) for run in runs} & {seed_of(run.replicate) for run in reported}


def run(folder, plans, arms, runner):
    with Journal(folder, lambda text: None) as journal:
        strategy = Blocks(plans, arms.texts)
        study = Study(
            strategy,
            journal,
            Budget(StudyConfig(trials=len(strategy.runs))),
            TEXT,
            search_seed=0,
            audit_share=1.0,
            seed_of=lambda _, replicate: seed_of(replicate),
            stock_facts=FIRST.facts,
        )
        drive(study, OneByOne(runner), Silent(), Nowhere())
        return journal.entries


def test_killed_in_mid_block_it_finishes_the_block_and_does_nothing_twice(studies, finished, tmp_path):
    plans, arms = plans_of(studies, replace(SETTINGS, repeats=1))
    late = finished(0, entry(1, tuned(0.9), 1.5), strategy="late")
    plans.append(report([*studies, late], arms, replace(SETTINGS, repeats=1), {}))
    whole = run(tmp_path / "whole", plans, arms, SyntheticRunner())
    with pytest.raises(Dies):
        run(tmp_path / "cut", plans[:1], arms, DiesAt(at=4))
    resumed = SyntheticRunner()
    cut = run(tmp_path / "cut", plans, arms, resumed)
    assert [(entry.trial, entry.training_seed) for entry in cut] == [(entry.trial, entry.training_seed) for entry in whole]
    assert len(resumed.requests) == len(whole) - 4
    assert all(entry.trial.duplicate_of is None for entry in whole)
    assert [entry.trial.answer.facts for entry in whole] == [run.facts for run in schedule(plans)]
