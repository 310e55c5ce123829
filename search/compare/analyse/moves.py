"""What one study did, proposal by proposal: how far each went, and what came after it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from search.compare.analyse.distance import Places, Space
from search.compare.read.tables import StudyTable, TrialRow
from search.study.trial import Origin

TUNED, CODED = ("constants", "both"), ("code", "both")  # kinds of change
AGAIN, RETREAT, ELSE = "again", "constants", "other"  # what follows a failure


@dataclass(frozen=True)
class Move:
    """One proposal. `kept`: whether its program was, by this training run or by another one. `step`: how far its constants
    are from those of the program that was kept last when it began; None where it changed none. `novelty`: how far its
    program is from the nearest before it. `gain`: over the program that was edited, where both have a score. `then`: what
    followed, where it changed code and was not kept."""

    row: TrialRow
    kept: bool
    step: float | None
    novelty: float | None
    gain: float | None
    then: str | None


def moves_of(study: StudyTable, space: Space) -> list[Move]:
    """The study's proposals: changed programs. Another training run of a program is none."""
    proposed = sorted(
        (row for row in study.rows if row.origin == Origin.STRATEGY and row.kind not in (None, "none")),
        key=lambda row: (row.started, row.number),
    )
    rows = {row.number: row for row in study.rows}
    places = Places(sorted(study.rows, key=lambda row: (row.started, row.number)), space)
    kept = sorted((row for row in study.rows if row.kept), key=lambda row: row.finished)
    sources, ends, starts = {row.source for row in kept}, [row.finished for row in kept], [row.started for row in proposed]
    moves = []
    for place, row in enumerate(proposed):
        before = bisect_right(ends, row.started)
        failed = row.kind in CODED and row.source not in sources
        after = max(place + 1, bisect_left(starts, row.finished))  # of several at once, the first that knew how it ended
        moves.append(
            Move(
                row,
                kept=row.source in sources,
                step=places.between(kept[before - 1].number, row.number) if before and row.kind in TUNED else None,
                novelty=places.nearest(row.number),
                gain=_gain(row, rows.get(-1 if row.parent is None else row.parent)),
                then=_then(row, proposed[after]) if failed and after < len(proposed) else None,
            )
        )
    return moves


def stretch_of(trials: Sequence[TrialRow]) -> tuple[int, float]:
    """The most trials in a row without one that was kept, and the share of all that came after the last that was."""
    kept = [place for place, row in enumerate(trials) if row.kept]
    ends = [-1, *kept, len(trials)]
    longest = max(after - before - 1 for before, after in pairwise(ends))
    return longest, (len(trials) - 1 - ends[-2]) / len(trials)


def _gain(row: TrialRow, parent: TrialRow | None) -> float | None:
    if parent is None or parent.val_bpb is None or row.val_bpb is None:
        return None
    return parent.val_bpb - row.val_bpb


def _then(failed: TrialRow, following: TrialRow) -> str:
    """Again: it builds on the failed program, or changes the same part of the code. Retreat: nothing but constants."""
    if following.parent == failed.number:
        return AGAIN
    if following.kind == "constants":
        return RETREAT
    return AGAIN if _code_of(failed) & _code_of(following) else ELSE


def _code_of(row: TrialRow) -> set[str]:
    """The parts of the code that a change touched: all but constants with another value, of which no words are on record."""
    return {part for part, words in (row.touched or {}).items() if words or not part.isupper()}
