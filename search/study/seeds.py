"""Three kinds of seed that never mix: the search seed drives a strategy, the others drive training runs.

Training seeds come from the search seed and the replicate number by one map for every strategy, so that studies of one
search seed are paired.
"""

from __future__ import annotations

import numpy as np

CONFIRMATION = 2**30  # training seeds lie below, confirmation seeds from here to 2**31


def training_seed(search_seed: int, replicate: int) -> int:
    return _draw(0, search_seed, replicate) % CONFIRMATION


def confirmation_seed(search_seed: int, repeat: int) -> int:
    """Disjoint from every training seed of every study."""
    return CONFIRMATION + _draw(1, search_seed, repeat) % CONFIRMATION


def _draw(purpose: int, search_seed: int, number: int) -> int:
    return int(np.random.SeedSequence([purpose, search_seed, number]).generate_state(1)[0])
