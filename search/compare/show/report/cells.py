"""Numbers and verdicts as they stand in tables."""

from __future__ import annotations

from search.compare.analyse.results import Analysis, Estimate, Spread, StudyResult
from search.compare.read.tables import Scalar
from search.compare.show.numbers import Numbers
from search.compare.show.report.blocks import short

UNCONFIRMED = "unconfirmed"
UNKNOWN = "unknown"
NONE = "none"


class Cells:
    """Scores and gains of one report, and its studies' names."""

    def __init__(self, analysis: Analysis) -> None:
        self.numbers = Numbers(analysis.noise)
        self._prefix = f"{analysis.experiment}/{analysis.task}/"

    def study(self, identity: str) -> str:
        """A study as strategy/search seed: what all of them share is left out."""
        return identity.removeprefix(self._prefix)

    def score(self, value: float | None) -> str:
        return UNKNOWN if value is None else self.numbers.plain(value)

    def gain(self, value: float | None) -> str:
        return UNKNOWN if value is None else self.numbers.signed(value)

    def part(self, part: Estimate | None, absent: str = UNCONFIRMED) -> str:
        """A gain with its interval, such as `+0.0120 (+0.0040 to +0.0200)`."""
        if part is None:
            return absent
        if part.by_definition:
            return f"{part.value:g} by definition"
        if part.low is None or part.high is None:
            return f"{self.numbers.signed(part.value)} (too few for an interval)"
        return f"{self.numbers.signed(part.value)} ({self.numbers.signed(part.low)} to {self.numbers.signed(part.high)})"

    def spread(self, spread: Spread | None) -> str:
        if spread is None:
            return UNKNOWN
        plain = self.numbers.plain
        return f"{plain(spread.sd)} ({plain(spread.low)} to {plain(spread.high)})"


def p_cell(p: float | None) -> str:
    if p is None:
        return UNKNOWN
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def constant(value: Scalar) -> str:
    """A constant of a program, rounded: a sampler gives sixteen digits."""
    return f"{value:.4g}" if isinstance(value, float) else short(str(value))


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def study_verdict(study: StudyResult) -> str:
    """What is shown of a study's gain, by itself."""
    confirmed = study.confirmed
    if study.winner is None:
        return "no score"
    if confirmed is None:
        return UNCONFIRMED
    if confirmed.gain.estimate.by_definition:
        return "is the stock"
    if confirmed.missing:
        return "not stated: " + "; ".join(missing.what for missing in confirmed.missing) + " missing"
    return "shown" if confirmed.shown else "not shown"
