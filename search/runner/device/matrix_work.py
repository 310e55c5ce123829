"""Fixed work for a CPU, a program of its own: prints how much of it was done in a second, in GFLOP/s.

Matrix products are what training spends its time in. Three matrices of 1 MB also notice a neighbor that crowds the
cache.
"""

from __future__ import annotations

import time
from statistics import median

import numpy as np

SIZE = 512
PRODUCTS = 16  # of a burst: about 40 ms of one core
BURSTS = 7


def main() -> None:
    """The median of a few bursts, after one that warms up: a burst that was interrupted says nothing about the
    others."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((SIZE, SIZE), np.float32) for _ in range(2))
    product = np.empty_like(left)
    seconds = []
    for _ in range(1 + BURSTS):
        began = time.perf_counter()
        for _ in range(PRODUCTS):
            np.matmul(left, right, out=product)
        seconds.append(time.perf_counter() - began)
    print(2 * SIZE**3 * PRODUCTS / median(seconds[1:]) / 1e9)


if __name__ == "__main__":
    main()
