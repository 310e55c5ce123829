"""A share of a study's trials, spread evenly."""

from __future__ import annotations

import math
import random


def in_share(name: str, share: float, number: int) -> bool:
    """Whether trial `number` belongs to the share: of any n trials in a row, n times the share do, give or take one. `name`
    draws where the first one stands. (Drawn one by one, a share of 0.3 can miss the first ten trials.)"""
    phase = random.Random(name).random()
    return math.floor(phase + number * share) > math.floor(phase + (number - 1) * share)
