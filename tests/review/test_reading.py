"""Logs are read by the names of their columns, whatever their form; what leaves a choice is asked about."""

from __future__ import annotations

import pytest

from search.config.messages import UserError
from tests.review.logs import COMMAS, JSON, TABS, read

TIMES = "timestamp\tcommit\tstatus\tscore\n2026-06-20T17:00:00Z\ta\tkeep\t64\n2026-06-20T14:00:00Z\tb\tkeep\t99\n"
NO_STATUS = (
    "commit\trmse\tr2\tdescription\nx1\t30\t0.5\tbaseline — a line\nx2\t20\t0.7\tkeep — trees\nx3\t25\t0.6\tdiscard\n"
)


@pytest.mark.parametrize(
    "text", [TABS, COMMAS, JSON, "\ufeff" + TABS.replace("\n", "\r\n"), TABS.replace("0.0\t0.0", "crash\tNA")]
)
def test_one_night_reads_the_same_in_every_form(tmp_path, text):
    log = read(tmp_path, text)
    assert [trial.score for trial in log.trials] == [1.0, 0.99, None, 0.995, 0.9895]
    assert [str(trial.became) for trial in log.trials] == ["kept", "kept", "failed", "discarded", "kept"]
    assert log.trials[0].commit == "aaa" and log.trials[3].description == "warm-up" and log.lower


def test_a_description_may_hold_anything(tmp_path):
    log = read(tmp_path, TABS.replace("warm-up", 'tab\tand "quote, комма | <b>'))
    assert log.trials[3].description == 'tab\tand "quote, комма | <b>' and len(log.trials) == 5


@pytest.mark.parametrize("written", ["0", "0.000000", "NA", "", "nan", "crash", "-"])
def test_what_is_no_score_is_none(tmp_path, written):
    log = read(tmp_path, TABS.replace("0.0\t0.0\tcrash", f"{written}\t0.0\tdiscard"))
    assert log.trials[2].score is None
    assert any("score of 0" in sentence for sentence in log.said) == written.startswith("0")


def test_status_may_begin_the_description(tmp_path):
    log = read(tmp_path, NO_STATUS, metric="rmse", direction="lower")
    assert [trial.kept for trial in log.trials] == [True, True, False]
    assert any("first word of description" in sentence for sentence in log.said)


def test_own_words_and_records(tmp_path):
    text = TABS.replace("keep", "shipped").replace("discard", "meh")
    assert read(tmp_path, text, keep_words="Shipped", discard_words="meh").trials[1].kept
    assert [trial.number for trial in read(tmp_path, text, keep="records").trials if trial.kept] == [1, 2, 5]


def test_zero_is_a_score_where_higher_is_better_or_the_user_says_so(tmp_path):
    rates = "commit\tstatus\taccuracy\na\tkeep\t0\nb\tdiscard\t0\nc\tkeep\t0.5\n"
    assert [trial.score for trial in read(tmp_path, rates).trials] == [0, 0, 0.5]
    assert [trial.kept for trial in read(tmp_path, rates, keep="records").trials] == [True, False, True]
    errors = rates.replace("accuracy", "error").replace("0.5", "-1")
    assert [trial.score for trial in read(tmp_path, errors, zeros="scores", keep="records").trials] == [0, 0, -1]


def test_what_is_guessed_is_said(tmp_path):
    said = " ".join(read(tmp_path, TABS).said)
    assert "val_bpb" in said and "Lower is better, guessed" in said
    assert "guessed" not in " ".join(read(tmp_path, JSON).said)


def test_a_log_in_two_segments(tmp_path):
    two = JSON + JSON.replace('"bpb"', '"µs"').replace("0.99,", "0.98,")
    assert read(tmp_path, two, segment=2).metric == "µs" and read(tmp_path, two, segment=2).trials[1].score == 0.98
    assert len(read(tmp_path, JSON + '{"type":"config","metricName":"next"}\n').trials) == 5


def test_order_by_time(tmp_path):
    assert [trial.commit for trial in read(tmp_path, TIMES, order="time", direction="higher").trials] == ["b", "a"]
    assert [trial.commit for trial in read(tmp_path, TIMES, order="file").trials] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (NO_STATUS, "metric: which column is the score? In this log several columns could be it: rmse, r2"),
        (TABS.replace("val_bpb", "quality"), "direction: is a lower or a higher quality better?"),
        (TABS.replace("val_bpb", "accuracy"), "direction: guessed higher, but most kept trials go the other way"),
        (TIMES, "order: by timestamp the trials ran in another order"),
        (JSON + JSON, "segment: the log changes its metric or starts again, and has 1: bpb, 5 trials; 2: bpb, 5 trials"),
        (TABS.replace("discard", "success"), "status: was a trial kept if this begins with success?"),
        (TABS.replace("keep\tlarger", "\tlarger"), "was a trial kept if this begins with (nothing)?"),
        (TABS.replace("0.9900", "0.0"), "line 3: a kept trial has the score 0. Is that a score?"),
        (TABS.replace("0.9900", "oops"), "line 3: a kept trial has 'oops' as its score"),
        (TABS.replace("0.9950", "0.99_5%"), "line 5: the score '0.99_5%' is not a plain number"),
        (TABS.replace("keep", "discard"), "none of its 5 trials was kept with a score"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells for 2 columns"),
        ("commit\tstatus\tstatus\n1\t2\t3\n", "two columns of the name 'status'"),
        (JSON + "{torn", "line 8 is not JSON"),
        ("", "has no trial"),
    ],
)
def test_what_leaves_a_choice_is_asked_about_in_two_lines(tmp_path, text, asked):
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert asked in str(error.value) and str(error.value).count("\n") <= 1
