"""What a reader should know of the machine before believing a comparison: where it was not as fast as in the control."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from search.compare.analyse.results import Speed
from search.compare.read.tables import Experiment, TrialRow
from search.compare.show.numbers import plural, times
from search.study.trial import Status

APART = 0.02  # logarithm of the stock's speed against the control's; assumed
NEARLY_ALL = 0.9  # of the completed trials; assumed
MOST_NAMED = 3  # studies in one sentence
CANNOT_BE_TOLD = "What speed does to the score cannot be told: too few runs of the stock, or all saw equally many tokens."


@dataclass(frozen=True)
class Sign:
    """Signs of a machine that did not give a trial all it could. The bounds are assumed; a machine of one's own stays
    inside. `everywhere`: said instead of where it was, if nearly all trials of all studies show it."""

    seen: Callable[[dict[str, float]], bool]
    words: str
    everywhere: str | None = None


SIGNS = (
    Sign(
        lambda telemetry: telemetry.get("throttled_share", 0.0) > 0.05,
        "on a GPU that was slowed down (by heat or a power limit) for more than 5 % of the time",
        "nearly all of them, in every study. So it is on a card that always works at its power limit; it favours no study "
        "as long as the machine's speed is steady",
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
    yield from _models(experiment)
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


def _models(experiment: Experiment) -> Iterator[str]:
    """The models of devices, whatever their number: cards of one model are taken for equal."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, rows in _groups(experiment):
        for model in {row.model for row in rows if row.model is not None}:
            found[model].append(name)
    if len(found) > 1:
        models = "; ".join(f"{model}: {_list(found[model], 1)}" for model in sorted(found))
        yield f"Trials ran on different models of device, whose speed is part of a score ({models})."


def _slowed(experiment: Experiment, sign: Sign) -> Iterator[str]:
    completed = {name: [row for row in rows if row.status == Status.COMPLETED] for name, rows in _groups(experiment)}
    found = {name: sum(sign.seen(row.telemetry) for row in rows) for name, rows in completed.items()}
    most = sorted((name for name in found if found[name]), key=lambda name: -found[name])
    if most:
        everywhere = all(found[name] >= NEARLY_ALL * len(rows) for name, rows in completed.items())
        where = sign.everywhere if everywhere and sign.everywhere else _list([f"{name} ({found[name]})" for name in most])
        yield f"{plural(sum(found.values()), 'completed trial')} ran {sign.words}: {where}."


def _groups(experiment: Experiment) -> Iterator[tuple[str, Sequence[TrialRow]]]:
    """The trials, by where they ran."""
    yield from ((study.identity, study.rows) for study in experiment.studies)
    if experiment.confirmation is not None:
        yield "the confirmation", experiment.confirmation.rows


def _list(names: Sequence[str], most: int = MOST_NAMED) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
