"""A space made of a program's own constants, around the values that they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from search.config.schema import DimensionConfig
from search.study import source
from search.study.space import refusal

FLOATS, INTS = 4.0, 2  # the factors within which values are searched
LEAST, MOST = 1e-12, 1e12  # of what is searched


def own_space(text: str, named: Mapping[str, DimensionConfig]) -> dict[str, DimensionConfig]:
    """The constants of a program that can be tuned. `named`: ranges that somebody chose; they count where they hold the
    program's value.

    Every other number above 0 is searched around its value: a float within a factor of 4, on a logarithmic scale; an int
    within a factor of 2; a power of two among powers of two. A float of at most 1 stays so: it may be a share or a momentum,
    which means nothing above. Words, switches, zeros and negative numbers are left as they are.
    """
    space = {}
    for name, value in source.constants(text).items():
        if name in named and not refusal(named[name], value):
            space[name] = named[name]
        elif has_range(value):
            space[name] = around(value)
    return space


def has_range(value: Any) -> TypeGuard[float]:
    """Whether a value has a range around it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and LEAST < value < MOST


def around(value: float) -> DimensionConfig:
    """The range around a value that `has_range`."""
    if isinstance(value, float):
        high = min(FLOATS * value, 1.0) if value <= 1 else FLOATS * value
        return DimensionConfig("float", low=value / FLOATS, high=high, log=True)
    kind = "power_of_two" if value.bit_count() == 1 else "int"
    return DimensionConfig(kind, low=max(1, value // INTS), high=INTS * value)
