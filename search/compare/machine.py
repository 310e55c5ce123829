"""What a reader should know of the machine before believing a comparison: where it was not as fast as in the control."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from search.compare.results import Speed
from search.compare.tables import Experiment, TrialRow
from search.compare.words import plural, times
from search.trial import Status

APART = 0.02  # logarithm of the stock's speed against the control's; assumed
MOST_NAMED = 3  # studies in one sentence
CANNOT_BE_TOLD = "What speed does to the score cannot be told: too few runs of the stock, or all saw equally many tokens."


@dataclass(frozen=True)
class Sign:
    """Of a machine that did not give a trial all it could. The bounds are assumed; a machine of one's own stays inside."""

    seen: Callable[[dict[str, float]], bool]
    words: str


SIGNS = (
    Sign(
        lambda telemetry: telemetry.get("throttled_share", 0.0) > 0.05,
        "on a GPU that was slowed down (by heat or a power limit) for more than 5 % of the time",
    ),
    Sign(
        lambda telemetry: telemetry.get("cpu_share", 1.0) < 0.9,
        "with less than 90 % of its cores' time (something else had the rest, or the program waited)",
    ),
    Sign(
        lambda telemetry: telemetry.get("stolen_share", 0.0) > 0.02,
        "while other machines on the same host took more than 2 % of its cores' time",
    ),
)


def remarks(experiment: Experiment, speed: Speed | None) -> Iterator[str]:
    """Nothing where budgets are tokens, for speed is no part of a score there."""
    if speed is None:
        return
    if not speed.tokens:
        yield CANNOT_BE_TOLD
    yield from _apart(speed)
    for sign in SIGNS:
        yield from _slowed(experiment, sign)


def _apart(speed: Speed) -> Iterator[str]:
    """Runs of the stock against those of the control, which claims are measured from."""
    runs = [(study.study, study.stock) for study in speed.studies] + [("the confirmation", speed.confirmation)]
    means = {name: stock.mean for name, stock in runs if stock is not None}
    apart = [name for name, mean in means.items() if abs(math.log(mean)) > APART]
    if apart:
        apart.sort(key=lambda name: -abs(math.log(means[name])))
        yield (
            f"The machine trained the stock at a speed more than {100 * APART:g} % from the control's: "
            f"{_list([f'{name} ({times(means[name])})' for name in apart])}. What that is worth: see the noise floor."
        )


def _slowed(experiment: Experiment, sign: Sign) -> Iterator[str]:
    groups: list[tuple[str, Sequence[TrialRow]]] = [(study.identity, study.rows) for study in experiment.studies]
    if experiment.confirmation is not None:
        groups.append(("the confirmation", experiment.confirmation.rows))
    found = {name: sum(row.status == Status.COMPLETED and sign.seen(row.telemetry) for row in rows) for name, rows in groups}
    most = sorted((name for name in found if found[name]), key=lambda name: -found[name])
    if most:
        trials = sum(found.values())
        yield f"{plural(trials, 'completed trial')} ran {sign.words}: {_list([f'{name} ({found[name]})' for name in most])}."


def _list(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
