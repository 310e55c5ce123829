"""How far apart the programs of one study are: constants by their ranges, code by the parts that differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.compare.read.tables import Experiment, Scalar, TrialRow
from search.config.schema import DimensionConfig
from search.study.own_space import around, has_range
from search.study.space import coordinate

Space = Mapping[str, DimensionConfig]


def space_of(experiment: Experiment) -> Space:
    """The ranges of the constants that programs of the experiment changed, the same for all its studies: as a study declares
    them, else around the stock's value, as `search.study.own_space` has it. Words, switches and zeros have none."""
    declared: dict[str, Mapping[str, Any]] = {}
    for study in reversed(experiment.studies):  # of several declarations the first counts
        declared.update(study.header["config"]["strategy"].get("space") or {})
    rows = (row for study in experiment.studies for row in study.rows)
    stock = {name: value for row in rows for name, value in row.constants_before.items()}
    space = {name: around(value) for name, value in stock.items() if has_range(value)}
    space.update({name: DimensionConfig(**declared[name]) for name in stock.keys() & declared.keys()})
    return {name: dimension for name, dimension in space.items() if dimension.kind != "choice"}


class Places:
    """The programs of one study as points. A constant that is moved over its whole range is at distance 1, and so is a value
    without a range that is another, and a part of the code that differs. Squares add up."""

    def __init__(self, rows: Iterable[TrialRow], space: Space) -> None:
        """`rows`: in their order; those without a program are left out."""
        kept = [row for row in rows if row.kind is not None]
        self._place = {row.number: place for place, row in enumerate(kept)}
        stock = {name: value for row in kept for name, value in row.constants_before.items()}
        points = [{**stock, **row.constants} for row in kept]
        names, parts = sorted({*stock, *(name for point in points for name in point)}), sorted(_parts(kept))
        shape = len(kept), len(names)
        coordinates = [[_coordinate(space.get(name), point.get(name)) for name in names] for point in points]
        self._coordinates = np.array(coordinates, dtype=float).reshape(shape)
        self._values = _labels([[point.get(name) for point in points] for name in names], len(kept))
        self._code = _labels([[(row.code or {}).get(part) for row in kept] for part in parts], len(kept))

    def between(self, one: int, other: int) -> float:
        """The distance of two trials' constants."""
        place = self._place[other]
        return math.sqrt(self._constants(self._place[one], slice(place, place + 1))[0])

    def nearest(self, number: int) -> float | None:
        """The distance of a trial to the nearest one before it, with their code."""
        place = self._place[number]
        if place == 0:
            return None
        code = (self._code[:place] != self._code[place]).sum(axis=1)
        return math.sqrt(np.min(self._constants(place, slice(place)) + code))

    def _constants(self, place: int, others: slice) -> NDArray[np.float64]:
        """Squared distances."""
        moved = (self._coordinates[others] - self._coordinates[place]) ** 2
        differ = self._values[others] != self._values[place]
        squares: NDArray[np.float64] = np.where(np.isnan(moved), differ, moved).sum(axis=1)
        return squares


def _parts(rows: Iterable[TrialRow]) -> set[str]:
    return {part for row in rows for part in row.code or {}}


def _labels(columns: Sequence[Sequence[Scalar]], rows: int) -> NDArray[np.int32]:
    """[rows, columns]: equal numbers in a column stand for equal values."""
    labelled = []
    for column in columns:
        known: dict[Scalar, int] = {}
        labelled.append([known.setdefault(value, len(known)) for value in column])
    return np.array(labelled, dtype=np.int32).reshape(len(columns), rows).T


def _coordinate(dimension: DimensionConfig | None, value: Scalar) -> float:
    """NaN for a value that has no place on the scale."""
    if dimension is None or isinstance(value, bool | str) or value is None:
        return math.nan
    try:
        return coordinate(dimension, value)
    except (ValueError, OverflowError):  # no logarithm, or none that a float holds
        return math.nan
