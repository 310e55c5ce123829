"""How many control trials, repeats and searches a difference needs: the table that `search.plan` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.compare.analyse import power
from search.compare.analyse.confirmed import FEWEST_REPEATS
from search.compare.analyse.minima import FEWEST_SEARCHES
from search.compare.analyse.noise import FEWEST_CONTROL
from search.compare.analyse.results import Analysis

DIFFERENCES = (0.5, 1.0, 2.0, 4.0)  # of the noise floor's standard deviation, where none is asked for
CONTRASTS = 3  # of agent, Optuna and control


@dataclass(frozen=True)
class Plan:
    """What to plan for. `sd`: of two trainings of one program. `between`: of the difference of two searches' true scores.
    `repeats`: of the confirmation, for the number of searches. `contrasts`: in the headline family."""

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
    `searches`: per strategy, that show an advantage of it.
    """

    difference: float
    control: int | None
    repeats: int | None
    searches: int | None


def table(plan: Plan) -> tuple[Row, ...]:
    variances = power.Variances(between=plan.between**2, own=2 * plan.sd**2)
    return tuple(
        Row(
            difference=difference,
            control=_at_least(FEWEST_CONTROL, power.control_trials(difference / 2, plan.sd)),
            repeats=_at_least(FEWEST_REPEATS, power.repeats_against_stock(difference, plan.sd, plan.power)),
            searches=_at_least(
                FEWEST_SEARCHES,
                power.searches_needed(variances, difference, plan.repeats, plan.contrasts, plan.power),
            ),
        )
        for difference in plan.differences
    )


def usual_differences(sd: float) -> tuple[float, ...]:
    return tuple(sd * times for times in DIFFERENCES)


def between_searches(analysis: Analysis) -> float | None:
    """The measured standard deviation between searches, without the noise of their repeats: the largest of all contrasts.
    None where too few searches are confirmed."""
    found = [contrast.needed.between for contrast in analysis.headline if contrast.needed is not None]
    return max(found) if found else None


def _at_least(minimum: int, found: int | None) -> int | None:
    return None if found is None else max(minimum, found)


def table_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Cells: difference, control trials, repeats, searches."""
    return [
        (f"{row.difference:.4g}", *(_count(value) for value in (row.control, row.repeats, row.searches))) for row in rows
    ]


def _count(value: int | None) -> str:
    return f"more than {power.MOST:,}" if value is None else str(value)
