"""The arithmetic of the score and of the challenge: sums claims, draws secret positions, compares answers. No process.

A model that looks ahead, remembers rows, keeps state, or whose process lies, can claim any nats it likes. It cannot
know the next token of a row that is cut at a secret position and continues at random. So a second, fresh process is
asked for its logits there, and the harness, which holds the next token, compares. Measured on toy models: shared state
or look-ahead passes every probe that sees whole rows, and fails this one at nearly every position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Nats = npt.NDArray[np.float32]  # [rows, T]
Rows = npt.NDArray[np.uint16]  # [rows, T + 1]


@dataclass(frozen=True)
class Challenge:
    """One position in each of some rows: `gain` of them are drawn by what the claim gains there, the rest uniformly."""

    rows: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    gain: int


@dataclass(frozen=True)
class Tolerance:
    """In nats. `token`: how far one answer may be from the claim. `mean`: how far the mean of either part may be."""

    token: float
    mean: float


@dataclass(frozen=True)
class Finding:
    """What a challenge found. `reason`: why the claim is not believed, or None. `sd`, `largest`: how far the answers were
    from the claims, in nats over all positions: standard deviation and largest size; None if nothing could be compared.
    """

    reason: str | None
    sd: float | None
    largest: float | None


def bits_per_byte(nats: Nats, targets: Rows, byte_lengths: npt.NDArray[np.int64]) -> float:
    """Sum of the nats of all text tokens, in bits, by their number of UTF-8 bytes. BOS is in neither sum.

    `targets`: [rows, T] token ids. `byte_lengths`: [vocab_size], 0 for BOS.
    """
    text = byte_lengths[targets] > 0
    total_bytes = int(byte_lengths[targets].sum())
    return float(nats[text].sum(dtype=np.float64)) / (math.log(2) * total_bytes)


def malformed(nats: npt.NDArray[np.float32]) -> str | None:
    """Why numbers cannot be the negative log-probabilities of tokens that came, or None."""
    if not np.isfinite(nats).all():
        return "not finite"
    if (nats < 0).any():
        return "negative: a probability above one"
    return None


def draw_challenge(
    claimed: Nats,
    reference: Nats | float,
    scored: npt.NDArray[np.bool_],
    gain: int,
    uniform: int,
    secret: np.random.Generator,
) -> Challenge:
    """Positions to ask about, at most one per row.

    `reference`: the stock's nats, or one number for all where there is no stock yet. `scored`: [rows, T], which targets
    count. `gain`: how many positions to draw in proportion to reference - claimed, where that is positive: a lie must
    be where the claim is better than the stock. `uniform`: how many to draw anywhere else.
    """
    better = np.where(scored, np.maximum(0.0, reference - claimed.astype(np.float64)), 0.0)
    weight = better.sum(axis=1)
    gain = min(gain, int(np.count_nonzero(weight)))
    by_gain = secret.choice(len(claimed), gain, replace=False, p=weight / weight.sum()) if gain else np.empty(0, np.int64)
    others = np.setdiff1d(np.flatnonzero(scored.any(axis=1)), by_gain)
    anywhere = secret.choice(others, min(uniform, len(others)), replace=False)
    positions = [_draw_position(better[row], secret) for row in by_gain]
    positions += [_draw_position(scored[row].astype(np.float64), secret) for row in anywhere]
    rows = np.concatenate([by_gain, anywhere]).astype(np.int64)
    return Challenge(rows, np.array(positions, dtype=np.int64), gain)


def challenge_rows(rows: Rows, challenge: Challenge, bos: int, secret: np.random.Generator) -> Rows:
    """[challenges, T] model inputs: each row up to and with its secret position, then random tokens (never BOS)."""
    inputs = rows[challenge.rows, :-1].copy()
    random = secret.integers(0, bos, inputs.shape, dtype=np.uint16)
    after = np.arange(inputs.shape[1])[None, :] > challenge.positions[:, None]
    return np.where(after, random, inputs).astype(np.uint16)


def answered_nats(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """[n, vocab_size] logits and [n] token ids -> [n] nats; normalized here, so that no model can return less than a
    distribution."""
    wide = logits.astype(np.float64)
    highest = wide.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(wide - highest).sum(axis=1)) + highest[:, 0]
    return np.asarray(log_sum - wide[np.arange(len(wide)), targets.astype(np.int64)], dtype=np.float64)


def verify(
    claimed: Nats, rows: Rows, challenge: Challenge, logits: npt.NDArray[np.float32], tolerance: Tolerance
) -> Finding:
    """Compare claims with answers: every token, and the mean of either part (a lie may hide inside a tolerance per token,
    not inside a mean)."""
    # A model may give a token no chance at all (-inf), but not all of them.
    if np.isnan(logits).any() or not np.isfinite(logits.max(axis=1, initial=-np.inf)).all():
        return Finding("the challenged process answered with numbers that are not logits", None, None)
    if not len(challenge.rows):  # the claim gains nowhere, and none are drawn anywhere else
        return Finding(None, None, None)
    targets = rows[challenge.rows, challenge.positions + 1]
    differences = answered_nats(logits, targets) - claimed[challenge.rows, challenge.positions]
    reason = _disbelief(differences, challenge.gain, tolerance)
    return Finding(reason, float(differences.std()), float(np.abs(differences).max()))


def _disbelief(differences: npt.NDArray[np.float64], gain: int, tolerance: Tolerance) -> str | None:
    """Why answers that differ this much from their claims are not believed, or None. The first `gain` were drawn by
    gain."""
    largest = float(np.abs(differences).max())
    if largest > tolerance.token:
        share = float((np.abs(differences) > tolerance.token).mean())
        return (
            f"the score does not match the model: {share:.0%} of the challenged tokens differ from the claim, "
            f"by up to {largest:.3g} nats (tolerance {tolerance.token:g})"
        )
    for name, part in (("gain", differences[:gain]), ("uniform", differences[gain:])):
        mean = float(part.mean()) if len(part) else 0.0
        if abs(mean) > tolerance.mean:
            return (
                f"the score is biased: mean difference {mean:.3g} nats over {name} positions (tolerance {tolerance.mean:g})"
            )
    return None


def _draw_position(weight: npt.NDArray[np.float64], secret: np.random.Generator) -> int:
    return int(secret.choice(len(weight), p=weight / weight.sum()))
