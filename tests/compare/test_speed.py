"""The machine's speed: slopes whose truth is known, and what is said of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from search.compare.analyse.analysis import analyse, to_json
from search.compare.analyse.tokens import tokens_seen
from search.compare.read import parse
from search.compare.show.pictures.album import Album
from search.compare.show.report.contents import report_of
from search.compare.show.report.markdown import markdown
from search.compare.truth.trainer import PER_LOG
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records, simulate_experiment

LEVEL = 0.01  # of the tests that judge the estimates
WORSE = 0.01  # bits per byte with 1 % fewer tokens, in the runs that are made up here
RIVALS = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=10))
SMALL = World(RIVALS, studies=1)
ROW = simulate_experiment(0, SMALL).control[0].rows[0]


def run(log_tokens, score):
    tokens = round(1e8 * math.exp(log_tokens))
    return trained(ROW, tokens, tokens // 1000, float(score))


def trained(row, tokens, steps, score):
    """The row with what its training run got through, and its score."""
    wins = None if row.is_anchor else score
    return replace(row, tokens=tokens, steps=steps, tokens_per_second=tokens / row.train_seconds, val_bpb=score, score=wins)


def runs_of(random, groups, slope, pace=0.03, seed=0.01):
    """Groups of so many runs, each with a level of its own."""
    made = []
    for size in groups:
        level, logs = random.normal(2.4, 0.1), random.normal(0, pace, size) + random.normal(0, 0.2)
        worse = slope * (logs - logs.mean()) / math.log(0.99)
        made.append([run(log, level + w) for log, w in zip(logs, worse + random.normal(0, seed, size), strict=True)])
    return made


# ---- the slope ----


@pytest.mark.parametrize("groups", [(12,), (4, 3, 4, 3, 2)], ids=["control", "anchors"])
def test_the_slope_is_recovered_and_its_interval_covers_it(groups):
    random = np.random.default_rng(0)
    found = [tokens_seen("made up", runs_of(random, groups, WORSE)) for _ in range(400)]
    covered = sum(seen.slope.low <= WORSE <= seen.slope.high for seen in found)
    assert stats.binomtest(covered, 400, 0.95).pvalue >= LEVEL, covered
    assert stats.ttest_1samp([seen.slope.value for seen in found], WORSE).pvalue >= LEVEL


def test_where_speed_does_nothing_it_explains_nothing():
    random = np.random.default_rng(1)
    found = [tokens_seen("made up", runs_of(random, (12,), 0.0)) for _ in range(400)]
    assert stats.binomtest(sum(seen.slope.low > 0 for seen in found), 400, 0.025).pvalue >= LEVEL
    assert stats.ttest_1samp([seen.r_squared for seen in found], 0.0).pvalue >= LEVEL


def test_the_share_is_that_of_the_variance():
    """Speed alone has a standard deviation of 0.03 and the seeds one of 0.01: 9 of 10 parts."""
    random = np.random.default_rng(2)
    seen = tokens_seen("made up", runs_of(random, (20_000,), WORSE, pace=0.03))
    assert seen.r_squared == pytest.approx(0.9, abs=0.01) and seen.sd_left == pytest.approx(0.01, rel=0.03)


def test_only_runs_of_one_group_are_held_against_each_other():
    slow = [run(0.01 * i, 2.5 + 0.01 * (i % 2)) for i in (0, 1, 2, 3, 3, 2, 1, 0)]
    quick = [run(1 + 0.01 * i, 2.0 + 0.01 * (i % 2)) for i in (0, 1, 2, 3, 3, 2, 1, 0)]
    assert abs(tokens_seen("made up", [slow, quick]).slope.value) < 0.005  # between them it would be 0.5 / 100


def test_no_slope_is_claimed_where_it_cannot_be_told():
    random = np.random.default_rng(3)
    (enough,) = runs_of(random, (8,), WORSE)
    assert tokens_seen("made up", [enough]) is not None
    assert tokens_seen("too few", [enough[:7]]) is None
    assert tokens_seen("alone", [[row] for row in enough]) is None
    assert tokens_seen("equally many", [[replace(row, tokens=1000, steps=10) for row in enough]]) is None
    step = [replace(row, tokens=99_000 + 1000 * (i == 3), steps=99 + (i == 3)) for i, row in enumerate(enough)]
    assert tokens_seen("one step more", [step]) is None
    assert tokens_seen("not counted", [[replace(row, tokens=0, steps=0) for row in enough]]) is None


# ---- the machine ----


def moved(experiment, log_speed, score):
    """The experiment with the stock's runs as if the machine's speed alone made their scores. `log_speed`: by place."""

    def of(rows, place):
        return tuple(
            trained(row, round(1e8 * math.exp(log)), round(1e5 * math.exp(log)), score(log))
            if row.kind_from_stock == "none" and row.status == "completed"
            else row
            for i, row in enumerate(rows)
            for log in (log_speed(place, i),)
        )

    studies = tuple(replace(study, rows=of(study.rows, study.name)) for study in experiment.studies)
    confirmation = replace(experiment.confirmation, rows=of(experiment.confirmation.rows, "confirmation"))
    return replace(experiment, studies=studies, confirmation=confirmation)


def on_slower_days(place, i):
    """The control was slow, with runs up to 40 % apart; agent and confirmation were quicker by 20 and 30 %."""
    return {"seeds": 0.05 * (i % 9 - 4), "agent": 0.2, "optuna": 0.0, "confirmation": 0.3}[place]


@pytest.fixture(scope="module")
def slow_control():
    return moved(simulate_experiment(0, SMALL), on_slower_days, lambda log: 2.4 - 0.5 * log)


def test_speed_explains_a_shift_that_is_nothing_else(slow_control):
    analysis = analyse(slow_control)
    speed = analysis.speed
    reference = np.mean(
        [on_slower_days("seeds", i) for i, row in enumerate(slow_control.control[0].rows) if not row.is_anchor]
    )
    for study, result in zip(speed.studies, analysis.studies, strict=True):
        shift = result.confirmed.decomposition.stock_shift.value
        assert shift == pytest.approx(0.5 * (0.3 - reference), rel=1e-4)
        assert study.of_shift.estimate.value == pytest.approx(shift, rel=1e-3)
        assert study.of_shift.extrapolated  # the control's runs were no further than 0.2 from their mean
    by_name = {study.study.split("/")[2]: study.stock for study in speed.studies}
    assert by_name["agent-playbook"].mean == pytest.approx(math.exp(0.2 - reference), rel=1e-4)
    assert by_name["agent-playbook"].effect.estimate.value == pytest.approx(-0.5 * (0.2 - reference), rel=1e-3)
    assert (by_name["seeds"].slowest, by_name["seeds"].fastest) == pytest.approx(
        (math.exp(-0.2 - reference), math.exp(0.2 - reference)), rel=1e-4
    )
    assert speed.tokens[0].r_squared == pytest.approx(1.0)


def test_a_machine_of_another_speed_is_cautioned_of_and_one_of_nearly_the_same_is_not(slow_control):
    (caution,) = [caution for caution in analyse(slow_control).cautions if "more than 2 %" in caution]
    assert "the confirmation (1.3" in caution and "agent-playbook/0 (1.2" in caution and "seeds" not in caution
    steady = moved(
        simulate_experiment(0, SMALL),
        lambda place, i: 0.005 * (i % 3 - 1) + 0.015 * (place == "agent"),
        lambda log: 2.4 - log,
    )
    assert not [caution for caution in analyse(steady).cautions if "more than 2 %" in caution]


def test_no_score_and_no_claim_depends_on_tokens():
    experiment = simulate_experiment(0, World(RIVALS, studies=2, drift=0.1))

    def without_tokens(rows):
        return tuple(replace(row, tokens=0, steps=0, tokens_per_second=None) for row in rows)

    blind = replace(
        experiment,
        studies=tuple(replace(study, rows=without_tokens(study.rows)) for study in experiment.studies),
        confirmation=replace(experiment.confirmation, rows=without_tokens(experiment.confirmation.rows)),
    )
    seeing, blinded = to_json(analyse(experiment)), to_json(analyse(blind))
    assert {key for key in seeing if seeing[key] != blinded[key]} == {"speed", "cautions", "verdict"}
    blinded_speed = blinded["speed"]
    assert (blinded_speed["tokens"], blinded_speed["control"], blinded_speed["confirmation"]) == ((), None, None)
    for study in blinded_speed["studies"]:
        assert study["stock"] is None and study["of_shift"] is None
        assert study["winner"] is None or study["winner"]["source"] == "definition"
    assert any("cannot be told" in caution for caution in blinded["cautions"])


def test_without_a_control_the_anchors_tell_the_slope_and_no_speed_is_relative():
    world = World(RIVALS[:2], studies=3, anchor_every=1)
    speed = analyse(simulate_experiment(0, world)).speed
    assert [seen.repeats for seen in speed.tokens] == ["same seed"] and speed.control is None
    assert all(study.stock is None and study.of_shift is not None for study in speed.studies)
    assert speed.tokens[0].slope.low < -PER_LOG * math.log(0.99) < speed.tokens[0].slope.high


def test_the_control_is_held_against_itself_without_its_anchors():
    experiment = simulate_experiment(0, replace(SMALL, anchor_every=4))
    (control,) = (study for study in analyse(experiment).speed.studies if study.strategy == "seeds")
    assert len(experiment.control[0].rows) > len(experiment.control[0].trials) == control.stock.runs
    assert control.stock.mean == 1 and control.stock.effect.estimate.by_definition


def test_one_run_of_the_stock_is_enough_for_a_speed():
    experiment = simulate_experiment(0, replace(SMALL, confirmed=False))
    stock = analyse(experiment).speed.studies[0].stock
    assert stock.runs == 1 and stock.slowest == stock.mean == stock.fastest


# ---- what is said ----


def report(experiment):
    return markdown(report_of(experiment, analyse(experiment), Album((), (), (), (), ())))


def test_the_report_says_what_speed_did(slow_control):
    text = report(slow_control)
    assert "a run that saw 1 % fewer tokens scored +0.0050" in text and "speed explains 100 % of the variance" in text
    assert "| the confirmation | 5 | 1." in text and ", extrapolated" in text
    assert "of the shift: the machine's speed" in text and "winner's speed" in text
    assert any("explains 100 % of this noise's variance" in sentence for sentence in analyse(slow_control).verdict)


def test_what_is_not_shown_of_speed_is_called_not_shown():
    experiment = moved(simulate_experiment(0, SMALL), lambda place, i: 0.01 * (i % 3), lambda log: 2.4 + 3 * abs(log - 0.01))
    assert "not shown, it may be nothing" in report(experiment)
    assert not any("machine's speed" in sentence for sentence in analyse(experiment).verdict)


def test_under_a_budget_of_tokens_nothing_is_said_of_speed():
    studies, confirmation, _ = records(0, World(RIVALS, studies=1, drift=0.1))
    for header, rows in (*studies, confirmation[:2]):
        header["task"] = {"device": "cpu", "budget": {"seconds": None, "tokens": 1_000_000}, "vocab_size": 1024}
        for row in rows:
            row["telemetry"] = {"throttled_share": 1.0}
    experiment = parse.experiment("simulated", studies, [confirmation])
    analysis, text = analyse(experiment), report(experiment)
    assert analysis.speed is None
    assert not [words for words in (*analysis.cautions, *analysis.verdict) if "speed" in words or "GPU" in words]
    assert "The machine's speed" not in text and "winner's speed |" not in text
