"""The arithmetic of the score and of the challenge, without any process."""

from __future__ import annotations

import numpy as np
import pytest

from search.runner import challenge

VOCABULARY, ROWS, LENGTH = 50, 40, 16
BOS = VOCABULARY - 1
TOLERANCE = challenge.Tolerance(token=0.01, mean=0.001)


@pytest.fixture
def rows():
    rows = np.random.default_rng(0).integers(0, BOS, (ROWS, LENGTH + 1), dtype=np.uint16)
    rows[:, 0] = BOS
    rows[3, 5] = BOS  # a document begins inside a row
    return rows


@pytest.fixture
def byte_lengths():
    lengths = np.random.default_rng(1).integers(1, 6, VOCABULARY).astype(np.int64)
    lengths[BOS] = 0
    return lengths


def honest_logits(rows, drawn):
    """What a model of bigrams would answer: a fixed function of the token at the position."""
    table = np.random.default_rng(2).normal(size=(VOCABULARY, VOCABULARY)).astype(np.float32)
    return table[rows[drawn.rows, drawn.positions]]


def honest_claim(rows):
    table = np.random.default_rng(2).normal(size=(VOCABULARY, VOCABULARY)).astype(np.float32)
    logits = table[rows[:, :-1].reshape(-1)]
    return challenge.answered_nats(logits, rows[:, 1:].reshape(-1)).reshape(ROWS, LENGTH).astype(np.float32)


def draw(claimed, rows, byte_lengths, gain=20, uniform=10):
    scored = byte_lengths[rows[:, 1:]] > 0
    return challenge.draw_challenge(claimed, float(np.log(VOCABULARY)), scored, gain, uniform, np.random.default_rng(3))


def test_a_uniform_model_scores_its_tokens_times_log2_of_the_vocabulary(rows, byte_lengths):
    targets = rows[:, 1:]
    nats = np.full(targets.shape, np.log(VOCABULARY), dtype=np.float32)
    tokens = int((targets != BOS).sum())
    expected = np.log2(VOCABULARY) * tokens / byte_lengths[targets].sum()
    assert challenge.bits_per_byte(nats, targets, byte_lengths) == pytest.approx(expected, rel=1e-6)


def test_bos_is_in_neither_sum(rows, byte_lengths):
    targets = rows[:, 1:]
    nats = np.ones(targets.shape, dtype=np.float32)
    before = challenge.bits_per_byte(nats, targets, byte_lengths)
    nats[targets == BOS] = 1e6
    assert challenge.bits_per_byte(nats, targets, byte_lengths) == before


@pytest.mark.parametrize(("value", "wrong"), [(np.nan, "finite"), (np.inf, "finite"), (-0.5, "negative"), (0.5, None)])
def test_what_cannot_be_nats_is_refused(value, wrong):
    said = challenge.malformed(np.array([[1.0, value]], dtype=np.float32))
    assert (said is None) if wrong is None else (wrong in said)


def test_a_challenge_asks_each_row_once_and_never_for_bos(rows, byte_lengths):
    drawn = draw(honest_claim(rows), rows, byte_lengths)
    assert len(set(drawn.rows.tolist())) == len(drawn.rows) == 30
    assert (rows[drawn.rows, drawn.positions + 1] != BOS).all()


def test_a_challenge_goes_where_the_claim_gains(rows, byte_lengths):
    claimed = np.full((ROWS, LENGTH), np.log(VOCABULARY), dtype=np.float32)
    claimed[7, 4] = claimed[11, 9] = 0.0
    drawn = draw(claimed, rows, byte_lengths, gain=5, uniform=3)
    asked = list(zip(drawn.rows.tolist(), drawn.positions.tolist(), strict=True))
    assert drawn.gain == 2 and set(asked[:2]) == {(7, 4), (11, 9)} and len(asked) == 5


def test_challenge_rows_keep_the_beginning_and_nothing_after_it(rows, byte_lengths):
    drawn = draw(honest_claim(rows), rows, byte_lengths)
    inputs = challenge.challenge_rows(rows, drawn, BOS, np.random.default_rng(4))
    for row, position, given in zip(drawn.rows, drawn.positions, inputs, strict=True):
        assert (given[: position + 1] == rows[row, : position + 1]).all()
        tail, original = given[position + 1 :], rows[row, position + 1 : -1]
        assert (tail != BOS).all()
        if len(tail) > 4:
            assert (tail != original).any()


def test_an_honest_answer_passes(rows, byte_lengths):
    claimed = honest_claim(rows)
    drawn = draw(claimed, rows, byte_lengths)
    finding = challenge.verify(claimed, rows, drawn, honest_logits(rows, drawn), TOLERANCE)
    assert finding.reason is None
    assert finding.sd is not None and finding.sd < 1e-6 and finding.largest < 1e-6  # rounding to float32


def test_the_spread_of_honest_answers_is_measured(rows, byte_lengths):
    claimed = honest_claim(rows)
    drawn = draw(claimed, rows, byte_lengths)
    claimed[drawn.rows[:15], drawn.positions[:15]] += 0.004
    claimed[drawn.rows[15:], drawn.positions[15:]] -= 0.004
    finding = challenge.verify(claimed, rows, drawn, honest_logits(rows, drawn), challenge.Tolerance(1.0, 1.0))
    spread = pytest.approx(0.004, rel=1e-3)
    assert (finding.reason, finding.sd, finding.largest) == (None, spread, spread)


def test_a_challenge_without_positions_finds_nothing(rows):
    claimed = np.full((ROWS, LENGTH), 10.0, dtype=np.float32)  # worse than a guess everywhere
    drawn = draw(claimed, rows, np.ones(VOCABULARY, np.int64), gain=5, uniform=0)
    finding = challenge.verify(claimed, rows, drawn, np.empty((0, VOCABULARY), np.float32), TOLERANCE)
    assert finding == challenge.Finding(None, None, None)


def test_one_wrong_token_is_enough(rows, byte_lengths):
    claimed = honest_claim(rows)
    drawn = draw(claimed, rows, byte_lengths)
    claimed[drawn.rows[4], drawn.positions[4]] -= 0.1
    finding = challenge.verify(claimed, rows, drawn, honest_logits(rows, drawn), TOLERANCE)
    assert finding.reason is not None and "differ from the claim" in finding.reason
    assert finding.largest == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("part", ["gain", "uniform"])
def test_a_lie_inside_the_tolerance_of_every_token_shows_in_the_mean(rows, byte_lengths, part):
    claimed = honest_claim(rows)
    drawn = draw(claimed, rows, byte_lengths)
    lied = slice(None, drawn.gain) if part == "gain" else slice(drawn.gain, None)
    claimed[drawn.rows[lied], drawn.positions[lied]] -= 0.005
    finding = challenge.verify(claimed, rows, drawn, honest_logits(rows, drawn), TOLERANCE)
    assert finding.reason is not None and f"over {part} positions" in finding.reason


def test_answers_that_are_no_numbers_are_refused(rows, byte_lengths):
    claimed = honest_claim(rows)
    drawn = draw(claimed, rows, byte_lengths)
    logits = honest_logits(rows, drawn)
    logits[0, 0] = np.nan
    finding = challenge.verify(claimed, rows, drawn, logits, TOLERANCE)
    assert finding.reason is not None and (finding.sd, finding.largest) == (None, None)


def test_unnormalised_answers_are_normalised_here(rows):
    logits = np.full((1, VOCABULARY), 30.0, dtype=np.float32)
    assert challenge.answered_nats(logits, np.array([3], dtype=np.uint16))[0] == pytest.approx(np.log(VOCABULARY))
