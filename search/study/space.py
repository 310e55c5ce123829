"""The constants that tuning may set, for strategies without a sampler of Optuna's: their values, and their coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from search.config.messages import UserError
from search.config.schema import DimensionConfig
from search.study import source
from search.study.trial import Candidate, Cost

Values = Mapping[str, Any]


class Space:
    """`dimensions`: the constants, by name. `text`: the program whose constants they are. `start`: the values it has.

    A value's coordinate lies in 0 to 1, on the scale on which it is searched: of the logarithm where `log` says so, of the
    exponent for a power of two, of the place in its list for a choice.
    """

    def __init__(self, dimensions: Mapping[str, DimensionConfig], text: str) -> None:
        """Raises UserError if the text lacks a constant, or has a value that its dimension does not hold."""
        self.dimensions = dict(dimensions)
        self.text = text
        values = source.constants(text)
        for name, dimension in self.dimensions.items():
            if name not in values:
                raise UserError(f"space.{name}: the start file has no constant of that name; it has {', '.join(values)}")
            if problem := refusal(dimension, values[name]):
                raise UserError(
                    f"space.{name}: does not hold the stock's own value {values[name]} (it {problem}; the task may have set "
                    f"it, or the GPU's memory); widen it, or leave it out with '~space.{name}'"
                )
        self.start: Values = {name: values[name] for name in self.dimensions}

    def candidate(self, values: Values, facts: dict[str, str], cost: Cost | None = None) -> Candidate:
        text, note = source.set_constants(self.text, values), self.changes(values)
        return Candidate(text, parent=0, params=dict(values), note=note, facts=facts, cost=cost)

    def changes(self, values: Values) -> str:
        """Where values differ from the stock's, on one line."""
        changed = (f"{name}={short(value)}" for name, value in values.items() if value != self.start[name])
        return ", ".join(changed) or "the stock's own constants"

    def coordinates(self, values: Values) -> list[float]:
        return [coordinate(dimension, values[name]) for name, dimension in self.dimensions.items()]

    def values(self, coordinates: list[float]) -> dict[str, Any]:
        """The values nearest to a point. Its coordinates lie in 0 to 1."""
        pairs = zip(self.dimensions.items(), coordinates, strict=True)
        return {name: _value(dimension, coordinate) for (name, dimension), coordinate in pairs}

    def steps(self) -> list[float]:
        """The distance between two neighboring values, as coordinates; 0 if every number between is a value."""
        return [_step(dimension) for dimension in self.dimensions.values()]


def refusal(dimension: DimensionConfig, value: Any) -> str:
    """Why a dimension does not hold a value; empty if it does."""
    if dimension.kind == "choice":
        assert dimension.values is not None
        return "" if value in dimension.values else f"must be one of {', '.join(map(str, dimension.values))}"
    whole = dimension.kind in ("int", "power_of_two")
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return "must be a whole number" if whole else "must be a number"
    assert dimension.low is not None and dimension.high is not None
    if not dimension.low <= value <= dimension.high:
        return f"must lie between {short(dimension.low)} and {short(dimension.high)}"
    if dimension.kind == "power_of_two" and int(value).bit_count() != 1:
        return "must be a power of two"
    return ""


def described(dimension: DimensionConfig) -> str:
    """What a dimension holds, in words."""
    if dimension.kind == "choice":
        assert dimension.values is not None
        return f"one of {', '.join(map(str, dimension.values))}"
    assert dimension.low is not None and dimension.high is not None
    kinds = {"int": "whole number", "power_of_two": "power of two", "float": "number"}
    scale = ", searched on a logarithmic scale" if dimension.log else ""
    return f"{kinds[dimension.kind]} from {short(dimension.low)} to {short(dimension.high)}{scale}"


def short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _scale(dimension: DimensionConfig, value: float) -> float:
    """The number on whose scale a value is searched."""
    if dimension.kind == "power_of_two":
        return math.log2(value)
    return math.log(value) if dimension.log else value


def _ends(dimension: DimensionConfig) -> tuple[float, float]:
    assert dimension.low is not None and dimension.high is not None
    return _scale(dimension, dimension.low), _scale(dimension, dimension.high)


def _step(dimension: DimensionConfig) -> float:
    if dimension.kind == "choice":
        assert dimension.values is not None
        return 1 / max(1, len(dimension.values) - 1)
    if dimension.kind == "float" or dimension.log:
        return 0.0
    low, high = _ends(dimension)
    return 1 / (high - low)


def coordinate(dimension: DimensionConfig, value: Any) -> float:
    """A value's place on its scale, from 0 to 1 where the dimension holds it. Raises ValueError for a choice that is not in
    its list, and for a value that a logarithm does not take."""
    if dimension.kind == "choice":
        assert dimension.values is not None
        return dimension.values.index(value) * _step(dimension)
    low, high = _ends(dimension)
    return (_scale(dimension, value) - low) / (high - low)


def _value(dimension: DimensionConfig, coordinate: float) -> Any:
    if dimension.kind == "choice":
        assert dimension.values is not None
        return dimension.values[min(round(coordinate / _step(dimension)), len(dimension.values) - 1)]
    low, high = _ends(dimension)
    place = low + coordinate * (high - low)
    if dimension.kind == "power_of_two":
        return 2 ** round(place)
    value = math.exp(place) if dimension.log else place
    assert dimension.low is not None and dimension.high is not None
    value = min(max(value, dimension.low), dimension.high)  # exp(log(x)) may miss x
    return round(value) if dimension.kind == "int" else value
