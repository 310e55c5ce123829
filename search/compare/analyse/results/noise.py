"""Results about the noise floor."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.results.values import Estimate, Spread


@dataclass(frozen=True)
class ControlStudy:
    """One study of the control. `mean` and `sd` are None where it has too few scores."""

    study: str
    trials: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class ControlNoise:
    """The noise floor: scores of the stock under fresh training seeds, all search seeds of the control together."""

    trials: int
    failures: int
    mean: Estimate
    sd: Spread | None
    studies: tuple[ControlStudy, ...]


@dataclass(frozen=True)
class SameSeed:
    """Spread of the stock when it is trained again with the same training seed.

    `within_studies`: hours apart at most (stock and anchors). `across_studies`: also between studies, which may have run on
    other days or machines.
    """

    within_studies: Spread | None
    across_studies: Spread | None


@dataclass(frozen=True)
class Drift:
    """How the stock's score moved during one study. `slope`: bits per byte and hour, positive where it became worse.
    `p`: two-sided. `runs`: the stock and its anchors that have a score."""

    study: str
    runs: int
    hours: float
    slope: Estimate
    p: float | None


@dataclass(frozen=True)
class NullBand:
    """What the best of n draws of the unchanged stock looks like: luck alone. Not subtracted from anybody.

    Parallel tuples over `n`. `low`, `median`, `high`: its quantiles at 5, 50 and 95 %. From the first n beyond
    `measured_to` on, values are extrapolated: order statistics of a normal distribution with the control's mean and sd.
    """

    control_trials: int
    measured_to: int
    n: tuple[int, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Noise:
    """`remarks`: what could not be said, and why."""

    control: ControlNoise | None
    same_seed: SameSeed
    drift: tuple[Drift, ...]
    null_band: NullBand | None
    remarks: tuple[str, ...]
