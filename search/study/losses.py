"""Reads a curve of training losses at one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from search.study.trial import LossPoint

WINDOW = 0.1  # of a curve's tokens: single points are noisy


@dataclass(frozen=True)
class Mean:
    """A mean loss in nats per token, and its standard error: 0 for a single point."""

    loss: float
    error: float


def loss_at(losses: Sequence[LossPoint], tokens: float, width: float | None = None) -> Mean | None:
    """The mean of the losses that were reported over `width` tokens up to a place, by default a tenth of the curve; None
    where there are none, or where the curve ends well before."""
    if not losses or losses[-1].tokens < (1 - WINDOW) * tokens:
        return None
    since = tokens - (WINDOW * losses[-1].tokens if width is None else width)
    some = [point.loss for point in losses if since <= point.tokens <= tokens]
    if not some:
        return None
    return Mean(fmean(some), stdev(some) / math.sqrt(len(some)) if len(some) > 1 else 0.0)
