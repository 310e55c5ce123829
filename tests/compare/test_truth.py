"""The comparison against simulated experiments whose truth is known, in small. In full:
python -m search.compare.truth, or a larger number in FAIRTRIAL_TRUTH."""

from __future__ import annotations

import gc
import os

import pytest
from statsmodels.stats.multitest import multipletests

from search.compare.truth import __main__ as truth

COUNT = int(os.environ.get("FAIRTRIAL_TRUTH", "30"))


@pytest.fixture(autouse=True, scope="module")
def quick_collections():
    """statsmodels collects garbage at each correction."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("name", truth.WITHOUT_EFFECT)
def test_false_claims_are_as_rare_as_promised(name):
    for rate in truth.false_claims(truth.WITHOUT_EFFECT[name], COUNT, seed=10_000):
        assert rate.of > 0.5 * COUNT, rate  # or nothing was stated
        assert rate.p >= truth.LEVEL, rate


@pytest.mark.parametrize("name", truth.WITH_EFFECTS)
def test_intervals_cover_and_estimates_are_unbiased(name):
    results = truth.coverage(truth.WITH_EFFECTS[name], COUNT, seed=20_000)
    rejected = multipletests([result.p for result in results], alpha=truth.LEVEL, method="holm")[0]
    assert not rejected.any(), [str(result) for result, wrong in zip(results, rejected, strict=True) if wrong]


def test_planned_repeats_show_the_gain():
    for rate in truth.power_of_repeats(COUNT, seed=30_000):
        assert rate.p >= truth.LEVEL, rate


@pytest.mark.parametrize("advantage", truth.ADVANTAGES)
def test_planned_searches_show_the_advantage(advantage):
    for rate in truth.power_of_searches(COUNT, 40_000, advantage):
        assert rate.p >= truth.LEVEL, rate


def test_a_comparison_that_claims_too_much_would_fail(monkeypatch):
    """The judge itself: claims at twice alpha are rejected, and a tool that never claims anything has no power."""
    assert truth.Rate("claims", 100, 1_000, 0.05, "greater").p < truth.LEVEL
    assert truth.Rate("power", 0, COUNT, 0.8, "less").p < truth.LEVEL
    assert truth.Bias("luck", (0.1, 0.2, 0.3, 0.15, 0.25)).p < truth.LEVEL
