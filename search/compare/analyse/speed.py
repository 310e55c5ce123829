"""How fast the machine was while each study ran, and how fast the winners' programs are: the one is luck, the other merit.

A budget of seconds makes a score depend on the machine's speed of that hour. The stock is one program, so that its tokens
per second show the machine. A winner's, held against the stock's in the confirmation, show its program.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.compare.analyse.confirmed import counts
from search.compare.analyse.intervals import mean_estimate
from search.compare.analyse.noise import control_runs, stock_runs
from search.compare.analyse.results import Speed, SpeedEffect, StockSpeed, StudySpeed, TokensSeen, WinnerSpeed, WinnersSpeed
from search.compare.analyse.tokens import effect, slopes
from search.compare.read.tables import STOCK, Experiment, Planned, StudyTable, TrialRow
from search.study.trial import Origin, Status

DEFINITION = WinnerSpeed(1.0, None, None, "definition")

Repeats = dict[str, dict[int, float]]  # logarithms of tokens per second, by arm and repeat


@dataclass(frozen=True)
class _Known:
    """What all studies are held against. `control`: logarithms of tokens per second, one for each run."""

    tokens: tuple[TokensSeen, ...]
    control: list[float]
    confirmed: Repeats

    @property
    def confirmed_stock(self) -> list[float]:
        return list(self.confirmed.get(STOCK, {}).values())


def speed_of(experiment: Experiment) -> Speed | None:
    """None where budgets are tokens: there, speed is no part of a score."""
    if experiment.task_facts["budget"]["seconds"] is None:
        return None
    known = _Known(slopes(experiment), _logs(control_runs(experiment)), _repeats(experiment))
    studies = tuple(_study(study, experiment, known) for study in experiment.studies)
    return Speed(
        tokens=known.tokens,
        control=math.exp(np.mean(known.control)) if known.control else None,
        confirmation=_stock_speed(known.confirmed_stock, known),
        studies=studies,
        winners=_winners(studies),
    )


def _study(study: StudyTable, experiment: Experiment, known: _Known) -> StudySpeed:
    runs = study.trials if study.is_control else stock_runs(study)
    planned = None if experiment.confirmation is None else experiment.confirmation.planned(study.identity)
    return StudySpeed(
        study=study.identity,
        strategy=study.strategy,
        stock=_stock_speed(_logs(runs), known),
        of_shift=None if planned is None else _of_shift(study, known),
        winner=_winner(study, planned, known.confirmed),
    )


def _of_shift(study: StudyTable, known: _Known) -> SpeedEffect | None:
    """The stock that the claim is measured from, against the confirmation's."""
    before = known.control or _logs([row for row in study.rows if row.origin == Origin.STOCK])
    after = known.confirmed_stock
    return effect(float(np.mean(before) - np.mean(after)), known.tokens) if before and after else None


def _stock_speed(runs: list[float], known: _Known) -> StockSpeed | None:
    """The difference of two means of logarithms. None where either has no values."""
    if not runs or not known.control:
        return None
    control, mean = float(np.mean(known.control)), float(np.mean(runs))
    slowest, fastest = math.exp(min(runs) - control), math.exp(max(runs) - control)
    return StockSpeed(len(runs), math.exp(mean - control), slowest, fastest, effect(mean - control, known.tokens))


def _winner(study: StudyTable, planned: Planned | None, confirmed: Repeats) -> WinnerSpeed | None:
    """From the confirmation, unless it is the stock."""
    number = planned.winner if planned is not None else None if study.winner is None else study.winner.number
    row = next((row for row in study.rows if row.number == number), None)
    if row is None:
        return None
    if row.kind_from_stock == "none" or (planned is not None and planned.arm == STOCK):
        return DEFINITION
    ratios = [] if planned is None else _ratios(confirmed, planned.arm)
    if not ratios:
        return None
    mean = mean_estimate(ratios)
    low, high = (None if log is None else math.exp(log) for log in (mean.low, mean.high))
    return WinnerSpeed(math.exp(mean.value), low, high, "confirmation")


def _ratios(confirmed: Repeats, arm: str) -> list[float]:
    """The speed of an arm relative to the stock, in the repeats that both have."""
    stock, winner = confirmed.get(STOCK, {}), confirmed.get(arm, {})
    return [winner[repeat] - stock[repeat] for repeat in sorted(stock.keys() & winner.keys())]


def _repeats(experiment: Experiment) -> Repeats:
    found: Repeats = defaultdict(dict)
    for row in () if experiment.confirmation is None else experiment.confirmation.rows:
        if counts(row) and row.tokens_per_second is not None:
            assert row.arm is not None and row.replicate is not None  # a repeat that counts
            found[row.arm][row.replicate] = math.log(row.tokens_per_second)
    return found


def _winners(studies: Sequence[StudySpeed]) -> dict[str, WinnersSpeed]:
    """What was measured and what is so by definition is never averaged together."""
    found: dict[str, list[WinnerSpeed]] = defaultdict(list)
    for study in studies:
        if study.winner is not None:
            found[study.strategy].append(study.winner)
    return {strategy: _mean_of(winners) for strategy, winners in found.items()}


def _mean_of(winners: Sequence[WinnerSpeed]) -> WinnersSpeed:
    kind = [winner for winner in winners if winner.source == "confirmation"] or winners
    mean = math.exp(np.mean([math.log(winner.value) for winner in kind]))
    return WinnersSpeed(mean, len(kind), kind[0].source)


def _logs(rows: Sequence[TrialRow]) -> list[float]:
    return [
        math.log(row.tokens_per_second)
        for row in rows
        if row.status == Status.COMPLETED and row.tokens_per_second is not None
    ]
