"""A share of the trials is spread evenly, wherever one begins to count."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from search.study.evenly import in_share


@given(st.integers(0, 1000), st.floats(0, 1), st.integers(1, 500), st.integers(1, 60))
def test_of_any_trials_in_a_row_the_share_is_met_give_or_take_one(seed, share, first, count):
    found = sum(in_share(f"x {seed}", share, number) for number in range(first, first + count))
    assert math.floor(share * count - 1e-9) <= found <= math.ceil(share * count + 1e-9)
