"""What a plan rests on: what is given, what an experiment has measured, and what is usual."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from search.compare.analyse.analysis import Analysis
from search.compare.analyse.design import POWER, Assumptions
from search.compare.analyse.finding import Name, Scope
from search.config.commands import PlanConfig
from search.config.messages import UserError

TRIALS, MINUTES = 100, 5.5  # of a study; of a five-minute trial, with starting and scoring
PAIRED = 0.4  # the least of three programs measured: two runs with one seed and side by side differ by less than two others


def assumptions(wanted: PlanConfig, analysis: Analysis | None) -> Assumptions:
    """What is wanted, completed by what is measured, where that is not given, and by what is usual. Raises UserError."""
    control = None if analysis is None else analysis.noise.sd
    sd = wanted.sd if wanted.sd is not None else None if control is None else control.sd
    if sd is None:
        raise UserError(
            "sd: is not known; give sd=, or experiment= of an experiment with a control (python -m search strategy=seeds)"
        )
    measured = None if analysis is None else between_studies(analysis)
    return Assumptions(
        sd=sd,
        paired=wanted.paired if wanted.paired is not None else (None if analysis is None else paired(analysis)) or PAIRED,
        between=wanted.both_between or measured or (0.0, 0.0),
        known=math.inf if wanted.sd is not None or control is None else control.degrees,
        minutes=wanted.minutes or (None if analysis is None else minutes(analysis)) or MINUTES,
        trials=wanted.trials or TRIALS,
        again=0.0 if analysis is None or analysis.noise.within is None else analysis.noise.within.sd,
        devices=wanted.devices or 1,
        power=wanted.power or POWER,
    )


def grounds(plan: Assumptions, wanted: PlanConfig, analysis: Analysis | None) -> Iterator[str]:
    """What is planned with, in sentences."""
    whence = "given" if wanted.sd is not None else f"measured, to {plan.known:g} degrees of freedom"
    yield f"sd={plan.sd:.4g} ({whence}), of which {plan.paired:.0%} is common to runs of one block (paired)"
    if plan.between == (0.0, 0.0):
        yield "between: unknown, taken as 0; real studies differ, so a contrast of strategies costs more than it says here"
    else:
        yield f"between={plan.between[0]:.4g},{plan.between[1]:.4g}: what a strategy's studies differ by in truth"
    yield f"studies of {plan.trials} trials of {plan.minutes:.2g} minutes"


def between_studies(analysis: Analysis) -> tuple[float, float] | None:
    """The standard deviations of true gains of the two strategies that differ most among themselves, without the noise of
    their repeats. None where fewer than two strategies have two confirmed studies."""
    found = []
    for strategy in analysis.strategies:
        studies = [study.study for study in analysis.studies if study.strategy == strategy.strategy]
        gains = [analysis.find(Scope.PROGRAM, Name.GAIN, study) for study in studies]
        known = [gain.estimate for gain in gains if gain is not None and gain.estimate is not None]
        if len(known) > 1 and strategy.role != "control":
            noise = float(np.mean([(estimate.error or 0.0) ** 2 for estimate in known]))
            found.append(math.sqrt(max(0.0, float(np.var([one.value for one in known], ddof=1)) - noise)))
    largest = sorted(found, reverse=True)[:2]
    return (largest[0], largest[1]) if len(largest) == 2 else None


def paired(analysis: Analysis) -> float | None:
    """The share of the noise's variance that runs of one block have in common, from the gains' standard errors. None where
    nothing is confirmed."""
    facts, sd = analysis.confirmation, analysis.noise.sd
    gains = [one for one in analysis.findings if one.scope is Scope.PROGRAM and one.name is Name.GAIN and one.at is None]
    known = [(one.estimate.error, one.repeats) for one in gains if one.estimate is not None and one.estimate.error]
    if facts is None or sd is None or not known:
        return None
    again = 0.0 if analysis.noise.within is None else analysis.noise.within.sd
    gain = float(np.mean([error**2 * repeats for error, repeats in known if error]))  # variance in one block
    run = (gain + again**2 * (1 - 1 / facts.stock_runs)) / 2
    return min(0.95, max(0.0, 1 - run / sd.sd**2))


def minutes(analysis: Analysis) -> float | None:
    """Of a trial, with all that it needs."""
    hours, trials = sum(one.hours for one in analysis.strategies), sum(one.trials for one in analysis.strategies)
    return 60 * hours / trials if trials else None
