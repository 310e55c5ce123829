"""The typed keys of the commands that run no study of their own; the defaults stand in each command's YAML in conf/."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from omegaconf import MISSING

from search.config.schema import TrackingConfig
from search.config.validate import require, require_name


@dataclass
class CompareConfig:
    experiment: str = MISSING
    task: str | None = None
    out: str | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass
class OtherTrackingConfig:
    """`uri`: None for the studies' own."""

    uri: str | None = None


@dataclass
class ConfirmConfig:
    experiment: str = MISSING
    task: str | None = None
    repeats: int | None = None
    top: int = MISSING
    cache: str | None = None
    sandbox: str | None = None
    tracking: OtherTrackingConfig = field(default_factory=OtherTrackingConfig)


@dataclass
class PlanConfig:
    experiment: str | None = None
    task: str | None = None
    difference: str | None = None
    sd: float | None = None
    between: float | None = None
    power: float | None = None
    repeats: int | None = None
    contrasts: int | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    @property
    def differences(self) -> tuple[float, ...] | None:
        """In bits per byte; NaN for what is no number. None where none are asked for."""
        return None if self.difference is None else tuple(_number(part) for part in self.difference.split(","))


@dataclass
class DemoConfig:
    experiment: str = MISSING


def check_compare(config: CompareConfig) -> None:
    """Names in an MLflow store may be anything, and the store says which are not there."""


def check_confirm(config: ConfirmConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require_name("experiment", config.experiment)
    for key, value in (("repeats", config.repeats), ("top", config.top)):
        require(value is None or value >= 1, key, value, "must be a whole number above 0")


def check_plan(config: PlanConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    each = all(0 < difference < math.inf for difference in config.differences or ())
    require(each, "difference", config.difference, "must be a number above 0, or several with commas between them")
    require(config.sd is None or 0 < config.sd < math.inf, "sd", config.sd, "must be a number above 0")
    between = config.between is None or 0 <= config.between < math.inf
    require(between, "between", config.between, "must be 0 or more")
    require(config.power is None or 0 < config.power < 1, "power", config.power, "must be above 0 and below 1")
    for key, value in (("repeats", config.repeats), ("contrasts", config.contrasts)):
        require(value is None or value >= 1, key, value, "must be a whole number above 0")


def check_demo(config: DemoConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require_name("experiment", config.experiment)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
