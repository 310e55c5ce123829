"""Takes one edit of a chain back in a text that has later edits: a three-way merge, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hunk:
    """Lines `first` to `last` (excluded) of a text, and what they become. If both are equal, lines are inserted."""

    first: int
    last: int
    lines: tuple[str, ...]

    def meets(self, other: Hunk) -> bool:
        """Says whether both change one line, or one inserts at an edge of the other, so that their order would be a
        guess."""
        inserts = self.first == self.last or other.first == other.last
        first, last = max(self.first, other.first), min(self.last, other.last)
        return first < last or (inserts and first == last)


def without_edit(before: str, after: str, later: str) -> str | None:
    """Returns `later` without the edit that led from `before` to `after`; None if later edits changed, or border on, the
    same lines."""
    base = after.splitlines(keepends=True)
    back, onward = _hunks(base, before.splitlines(keepends=True)), _hunks(base, later.splitlines(keepends=True))
    mine = [hunk for hunk in back if hunk not in onward]  # what a later edit has taken back already does not conflict
    if any(hunk.meets(other) for hunk in mine for other in onward):
        return None
    merged, hunks = list(base), sorted([*mine, *onward], key=lambda hunk: (hunk.first, hunk.last), reverse=True)
    for hunk in hunks:
        merged[hunk.first : hunk.last] = hunk.lines
    return "".join(merged)


def _hunks(base: Sequence[str], other: Sequence[str]) -> list[Hunk]:
    """Returns the changes that turn the base into the other text."""
    codes = difflib.SequenceMatcher(None, base, other, autojunk=False).get_opcodes()
    return [Hunk(first, last, tuple(other[start:end])) for kind, first, last, start, end in codes if kind != "equal"]
