"""How many control trials, repeats and studies a difference needs: the table that `search.plan` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.compare.analyse import power
from search.compare.analyse.confirmed import FEWEST_REPEATS
from search.compare.analyse.minima import FEWEST_STUDIES
from search.compare.analyse.noise import FEWEST_CONTROL
from search.compare.analyse.results import Analysis
from search.config.commands import PlanConfig
from search.config.messages import UserError

DIFFERENCES = (0.5, 1.0, 2.0, 4.0)  # of the noise floor's standard deviation, where none is asked for
CONTRASTS = 3  # of agent, Optuna and control


@dataclass(frozen=True)
class Assumptions:
    """What to plan for. `sd`: of two training runs of one program. `between`: of the difference of two studies' true scores.
    `repeats`: of the confirmation, for the number of studies. `contrasts`: in the headline family."""

    sd: float
    between: float
    differences: tuple[float, ...]
    repeats: int
    contrasts: int
    power: float = power.POWER


@dataclass(frozen=True)
class Row:
    """What one difference, in bits per byte, needs. None: more than 10,000.

    `control`: trials that give the interval of the stock's mean half of it as reach. `repeats`: that show a gain of it.
    `studies`: per strategy, that show an advantage of it.
    """

    difference: float
    control: int | None
    repeats: int | None
    studies: int | None


def plan_for(wanted: PlanConfig, analysis: Analysis | None) -> Assumptions:
    """What is wanted, completed by what is measured, where that is not given, and by what is usual. Raises UserError."""
    sd, between = wanted.sd, wanted.between
    if analysis is not None:
        control = analysis.noise.control
        measured = None if control is None or control.sd is None else control.sd.sd
        sd = measured if sd is None else sd
        between = between_searches(analysis) if between is None else between
    if sd is None:
        raise UserError(
            "sd: is not known; give sd=, or experiment= of an experiment with a control (python -m search strategy=seeds)"
        )
    return Assumptions(
        sd=sd,
        between=between or 0.0,
        differences=wanted.differences or usual_differences(sd),
        repeats=wanted.repeats or FEWEST_REPEATS,
        contrasts=wanted.contrasts or CONTRASTS,
        power=wanted.power or power.POWER,
    )


def grounds(wanted: PlanConfig, analysis: Analysis | None) -> Iterator[str]:
    """Where the standard deviations come from that were not given, and what is assumed, in sentences."""
    control = None if analysis is None else analysis.noise.control
    if wanted.sd is None and control is not None and control.sd is not None:
        sd = control.sd
        yield f"sd={sd.sd:.4g} from {control.trials} control trials (95 % interval {sd.low:.4g} to {sd.high:.4g})"
    if wanted.between is not None:
        return
    between = None if analysis is None else between_searches(analysis)
    if between is None:
        yield "between: unknown, taken as 0; real studies differ, so the numbers of studies are the least possible"
    else:
        yield f"between={between:.4g} from the confirmed studies"


def promise(plan: Assumptions) -> str:
    """What the numbers of the table stand for."""
    return (
        f"Control: until the stock's mean is known to half the difference. Repeats: a gain over the stock is shown with "
        f"power {plan.power:g}. Studies: an advantage over another strategy is, with {plan.repeats} repeats and as the "
        f"strictest of {plan.contrasts} contrasts; below {power.fewest_studies(plan.contrasts)} none can be. The minima "
        "of a stated contrast are kept."
    )


def table(plan: Assumptions) -> tuple[Row, ...]:
    variances = power.Variances(between=plan.between**2, own=2 * plan.sd**2)
    return tuple(
        Row(
            difference=difference,
            control=_at_least(FEWEST_CONTROL, power.control_trials(difference / 2, plan.sd)),
            repeats=_at_least(FEWEST_REPEATS, power.repeats_against_stock(difference, plan.sd, plan.power)),
            studies=_at_least(
                FEWEST_STUDIES,
                power.studies_needed(variances, difference, plan.repeats, plan.contrasts, plan.power),
            ),
        )
        for difference in plan.differences
    )


def usual_differences(sd: float) -> tuple[float, ...]:
    return tuple(sd * times for times in DIFFERENCES)


def between_searches(analysis: Analysis) -> float | None:
    """The measured standard deviation between studies, without the noise of their repeats: the largest of all contrasts.
    None where too few studies are confirmed."""
    found = [contrast.needed.between for contrast in analysis.headline if contrast.needed is not None]
    return max(found) if found else None


def _at_least(minimum: int, found: int | None) -> int | None:
    return None if found is None else max(minimum, found)


def table_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Cells: difference, control trials, repeats, studies."""
    return [(f"{row.difference:.4g}", *(_count(value) for value in (row.control, row.repeats, row.studies))) for row in rows]


def _count(value: int | None) -> str:
    return f"more than {power.MOST:,}" if value is None else str(value)
