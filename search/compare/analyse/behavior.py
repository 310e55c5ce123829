"""How each strategy searches: what it changes and how far, whether it repeats itself, and what it does after a failure.

Nothing here is estimated, and nothing is claimed of new studies. `.github/docs/report.md` says what each figure means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from search.compare.analyse.categories import CATEGORIES, categories
from search.compare.analyse.distance import Space, space_of
from search.compare.analyse.moves import Move, moves_of, stretch_of
from search.compare.read.tables import Experiment, StudyTable, TrialRow
from search.study.trial import Origin, Status

KINDS = ("constants", "code", "both")


@dataclass(frozen=True)
class Tried:
    """Proposals of one sort: how many, and how many of their programs were kept."""

    proposals: int
    kept: int


@dataclass(frozen=True)
class Expectations:
    """Over the proposals whose gain was both expected and measured, against the program that was edited: the means in bits
    per byte, and how many gained anything."""

    proposals: int
    expected: float
    measured: float
    better: int


@dataclass(frozen=True)
class Behavior:
    """One strategy, all its studies together. A proposal is a changed program; another training run of one is none.

    `unusable`: answers that were no program. `categories`: a proposal may be of several. `step`: median distance of the
    constants, where they changed, to those of the program that was kept last. `novelty`: median distance to the nearest
    program before. `repeats`: proposals and replies that had been tried. `plateau`: the most trials in a row without one
    that was kept, median over studies. `after_last`: share of a study's trials after the last that was kept, likewise.
    `after_failure`: what followed proposals of code that were not kept: `again`, `constants`, `other`.

    None where it is not on record, or where there is nothing to take it of.
    """

    strategy: str
    proposals: int
    unusable: int
    kinds: dict[str, Tried]
    categories: dict[str, Tried] | None
    step: float | None
    novelty: float | None
    repeats: int | None
    plateau: float | None
    after_last: float | None
    after_failure: dict[str, int] | None
    expectations: Expectations | None


def behavior_of(experiment: Experiment) -> tuple[Behavior, ...]:
    """Of each strategy but the control."""
    space = space_of(experiment)
    rivals = [label for label in experiment.strategies if experiment.role_of(label) != "control"]
    return tuple(_of(label, experiment.of(label), space) for label in rivals)


def _of(strategy: str, studies: Sequence[StudyTable], space: Space) -> Behavior:
    moves = [move for study in studies for move in moves_of(study, space)]
    answers = [row for study in studies for row in study.rows if row.origin == Origin.STRATEGY]
    stretches = [stretch_of(study.trials) for study in studies if len(study.trials) > 1]
    named = all(move.row.touched is not None and move.row.code is not None for move in moves)
    return Behavior(
        strategy=strategy,
        proposals=len(moves),
        unusable=sum(row.status == Status.UNUSABLE for row in answers),
        kinds={kind: _tried([move for move in moves if move.row.kind == kind]) for kind in KINDS},
        categories=_categories(moves) if named else None,
        step=_median(move.step for move in moves),
        novelty=_median(move.novelty for move in moves) if named else None,
        repeats=_repeats(answers),
        plateau=_median(longest for longest, _ in stretches),
        after_last=_median(share for _, share in stretches),
        after_failure=dict(Counter(move.then for move in moves if move.then is not None)) if named else None,
        expectations=_expectations(moves),
    )


def _tried(moves: Sequence[Move]) -> Tried:
    return Tried(len(moves), sum(move.kept for move in moves))


def _categories(moves: Sequence[Move]) -> dict[str, Tried]:
    """The commonest first."""
    of = [(move, categories(move.row.touched or {})) for move in moves]
    found = {category: _tried([move for move, mine in of if category in mine]) for category in CATEGORIES}
    commonest = sorted(found.items(), key=lambda entry: -entry[1].proposals)
    return {category: tried for category, tried in commonest if tried.proposals}


def _repeats(answers: Sequence[TrialRow]) -> int | None:
    """None where one is not on record."""
    found = [row.repeats for row in answers if row.repeats is not None]
    return sum(found) if len(found) == len(answers) else None


def _median(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return float(median(found)) if found else None


def _expectations(moves: Sequence[Move]) -> Expectations | None:
    pairs = [(move.row.expected, move.gain) for move in moves if move.row.expected is not None and move.gain is not None]
    if not pairs:
        return None
    expected, measured = zip(*pairs, strict=True)
    return Expectations(len(pairs), fmean(expected), fmean(measured), sum(gain > 0 for gain in measured))
