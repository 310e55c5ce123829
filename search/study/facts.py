"""Reads a trial's facts: short texts that a strategy, or the confirmation, has on record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def whole(fact: str | None) -> int | None:
    """Reads a whole number. Raises ValueError for another text."""
    return None if fact is None else int(fact)


def repeats(proposed: Sequence[int] | None, facts: Mapping[str, str]) -> int | None:
    """Counts the proposals that the study answered from its record, and the replies that the strategy sent back itself."""
    return None if proposed is None else len(proposed) + int(number(facts.get("repeats")) or 0)


def expected(facts: Mapping[str, str]) -> float | None:
    """Reads the expected gain. A strategy records the change of val_bpb, in which negative is better."""
    change = number(facts.get("expected"))
    return None if change is None else -change


def number(fact: str | None) -> float | None:
    """Reads a finite number; None for anything else, since a strategy may write what it likes."""
    try:
        value = math.nan if fact is None else float(fact)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
