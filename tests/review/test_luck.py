"""What luck alone does, against enumeration and simulated logs whose truth is known."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from search.config.messages import UserError
from search.review.analysis import review
from search.review.keeps import Verdict
from search.review.luck import Noise, band, margin, records
from search.review.noise import noise_of, other_ways
from search.review.truth import MIXED, NULL, World, seen, simulate, too_often
from tests.review.logs import TABS, read, settings

LOGS = 100
REDUCED = ("20 trials, exact noise", "125 trials, noise from 3 runs", "20 trials, noise from 2 repeats in the log")
WORLDS = {world.name: world for world in (*NULL, *MIXED)}


def test_records_are_those_of_all_orders():
    counts = Counter(records(order).found for order in itertools.permutations(range(6)))
    mean = sum(found * times for found, times in counts.items()) / 720
    told = records(range(6))
    assert told.found == 0 and told.expected == pytest.approx(mean)
    at_least = sum(times for found, times in counts.items() if found >= 3) / 720
    assert records([5, 6, 4, 3, 7, 2]).found == 3 and records([5, 6, 4, 3, 7, 2]).chance == pytest.approx(at_least)


def test_the_margin():
    assert margin(1) == pytest.approx(math.sqrt(2) * 1.6449, abs=1e-3)
    widths = [margin(100, degrees) for degrees in (2, 7, 43, 100_000)] + [margin(100)]
    assert widths == sorted(widths, reverse=True) and widths[-2] == pytest.approx(widths[-1], rel=1e-3)


def test_the_band_holds_as_many_logs_as_it_says():
    draws = np.random.default_rng(1).standard_normal((4_000, 31)) * 0.5
    claims = draws[:, 0] - draws.min(axis=1)
    luck = band(30, Noise(0.5, None, ""))
    assert np.mean(claims <= luck.high[-1]) == pytest.approx(0.975, abs=0.01)
    assert np.median(claims) == pytest.approx(luck.median[-1], abs=0.03)
    assert luck.median[0] == luck.high[0] == 0.0


@pytest.mark.parametrize("name", [*REDUCED, *(world.name for world in MIXED[1:3])])
def test_luck_is_called_luck_in_19_of_20_logs(name):
    told = [seen(seed, WORLDS[name]) for seed in range(LOGS)]
    assert not too_often(sum(one.false_keep for one in told), LOGS)
    assert not too_often(sum(one.too_much for one in told), LOGS)
    if WORLDS[name].steps:
        assert all(one.beyond for one in told) and np.mean([one.found for one in told]) > 0.6
    else:
        assert not too_often(sum(one.beyond for one in told), LOGS)


def test_a_noise_that_is_told_too_small_would_be_seen():
    world = World("125 trials, exact noise")
    wrong = 0
    for seed in range(30):
        log, told, _ = simulate(seed, world)
        wrong += bool(review(log, noise_of(log, replace(told, sd=told.sd / 2)), (), 5.5).beyond)
    assert too_often(wrong, 30)


def test_a_small_night_counted_by_hand(tmp_path):
    """Four scores, so three comparisons: sqrt(2) x 2.1212 = 3.0 standard deviations of 0.001."""
    told = review(read(tmp_path, TABS), Noise(0.001, None, "given"), (), 60)
    assert told.claimed == pytest.approx(0.0105) and told.margin == pytest.approx(0.0030, abs=2e-5)
    assert told.at_least == pytest.approx(0.0105 - told.margin) and told.carried == pytest.approx(0.01)
    assert [keep.verdict for keep in told.keeps] == [Verdict.START, Verdict.BEYOND, Verdict.WITHIN]
    assert told.tests[0].runs == 5 and told.tests[0].hours == 10  # two programs
    assert told.records.expected == pytest.approx(1 / 2 + 1 / 3 + 1 / 4)


def test_small_steps_count_together(tmp_path):
    steps = "".join(f"c{at}\t{1 - 0.002 * at:.4f}\t44\tkeep\tstep\n" for at in range(6))
    told = review(read(tmp_path, TABS.partition("\n")[0] + "\n" + steps), Noise(0.001, None, ""), (), 5)
    assert {keep.verdict for keep in told.keeps} == {Verdict.START, Verdict.WITHIN, Verdict.TOGETHER}
    assert told.carried == 0 and told.beyond


def test_without_a_noise_the_page_says_which_would_do(tmp_path):
    told = review(read(tmp_path, TABS), None, (), 5)
    assert told.beyond is None and told.luck is None and told.beyond_below == pytest.approx(0.0105 / margin(3))
    assert told.tests[0].runs == 8 and len(told.tests) == 1


def test_repeats_are_counted_only_where_that_is_certain(tmp_path):
    """A discarded change has the commit that it was taken back to; a description is repeated on another program."""
    text = TABS + "eee\t0.9899\t44\tdiscard\tlarger batch\nfff\t0.9897\t44\tdiscard\trandom seed 42 to 7\n"
    log, same = read(tmp_path, text), settings().noise
    assert noise_of(log, same) is None
    assert [sentence.partition(";")[0] for sentence in other_ways(log, same)] == [
        "2 trials of 1 program (same commit) would give 0.00028",
        "2 trials of 1 program (same description) would give 0.000071",
        "2 trials of 1 program (described as repeats of the kept trial before) would give 0.00014",
    ]
    again = read(tmp_path, text + "eee\t0.9899\t44\tdiscard\tlearning rate é 2\n")
    assert noise_of(again, same) == Noise(
        pytest.approx(0.0004 / math.sqrt(2)), 1, "measured in the log on 2 trials of 1 program (same commit and description)"
    )


def test_a_published_noise_is_named_and_of_the_right_metric(tmp_path):
    log = read(tmp_path, TABS)
    assert noise_of(log, settings(noise={"published": "h200"}).noise).degrees == 43
    with pytest.raises(UserError, match="choose h200"):
        noise_of(log, settings(noise={"published": "abacus"}).noise)
    with pytest.raises(UserError, match="is the noise of val_bpb"):
        noise_of(read(tmp_path, TABS.replace("val_bpb", "loss")), settings(noise={"published": "h200"}).noise)
