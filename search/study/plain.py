"""Values as JSON brings them back, so that a record equals what was recorded."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """The value with lists for tuples and Python's numbers for NumPy's. Raises ValueError for what JSON cannot hold."""
    numpy = sys.modules.get("numpy")  # whoever has a value of its own has imported it; a help text need not wait for it
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{value!r}: names are texts")
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    for kind in (bool, int, float, str):  # an enumeration's member becomes its value
        if isinstance(value, kind):
            value = kind(value) if kind is not str else str.__str__(value)
            break
    else:
        if value is not None:
            raise ValueError(f"{value!r} is a {type(value).__name__}: numbers, texts, lists and mappings can be recorded")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value!r}: is not a number that can be recorded")
    return value
