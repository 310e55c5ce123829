"""How many control trials, confirmation repeats and searches do I need? From the measured noise of an experiment:

python -m search.plan experiment=NAME
python -m search.plan experiment=NAME difference=0.005,0.01

or from a standard deviation of your own:

python -m search.plan sd=0.012 between=0.004
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.config.messages import UserError
from search.console import arguments
from search.console.arguments import Tracking, setting

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Settings:
    difference: str | None = setting(
        None, "in bits per byte, several with commas; null: 0.5, 1, 2 and 4 standard deviations", arguments.several
    )
    experiment: str | None = setting(None, "whose noise is measured")
    task: str | None = setting(None, "which of its tasks, where it has studies of several")
    sd: float | None = setting(None, "standard deviation of two trainings of one program", arguments.positive)
    between: float | None = setting(
        None, "standard deviation of the difference between two searches' true scores", arguments.not_negative
    )
    power: float | None = setting(None, "chance that a true difference is shown; null: 0.8", arguments.share)
    repeats: int | None = setting(None, "confirmation repeats that searches are planned with; null: 5", arguments.count)
    contrasts: int | None = setting(
        None, "in the headline family; null: 3, of agent, Optuna and the control", arguments.count
    )
    tracking: Tracking = field(default_factory=Tracking)


def show(settings: Settings) -> None:
    """Print the plan. Raises UserError."""
    from rich.console import Console
    from rich.table import Table

    from search.compare.analyse import planning, power
    from search.compare.analyse.confirmed import FEWEST_REPEATS

    console = Console()
    sd, between = _noise(settings, console)
    asked = settings.difference
    plan = planning.Plan(
        sd=sd,
        between=between,
        differences=planning.usual_differences(sd) if asked is None else arguments.several(asked),
        repeats=settings.repeats or FEWEST_REPEATS,
        contrasts=settings.contrasts or planning.CONTRASTS,
        power=settings.power or power.POWER,
    )
    found = Table()
    for title in ("difference", "control trials", "confirmation repeats", "searches per strategy"):
        found.add_column(title, justify="right")
    for cells in planning.table_rows(planning.table(plan)):
        found.add_row(*cells)
    console.print(found)
    console.print(
        f"Control: until the stock's mean is known to half the difference. Repeats: a gain over the stock is shown with "
        f"power {plan.power:g}. Searches: an advantage over another strategy is, with {plan.repeats} repeats and as the "
        f"strictest of {plan.contrasts} contrasts; below {power.fewest_searches(plan.contrasts)} none can be. The minima "
        "of a stated contrast are kept.",
        highlight=False,
    )


def _noise(settings: Settings, console: Console) -> tuple[float, float]:
    """Standard deviations of a training and between searches, as given or as measured; what is assumed is said."""
    sd, between = settings.sd, settings.between
    if settings.experiment is not None and (sd is None or between is None):
        measured_sd, measured_between = _measured(settings, settings.experiment, console)
        sd = measured_sd if sd is None else sd
        between = measured_between if between is None else between
    if sd is None:
        raise UserError(
            "sd: is not known; give sd=, or experiment= of an experiment with a control (python -m search strategy=seeds)"
        )
    if between is None:
        console.print(
            "between: unknown, taken as 0; real searches differ, so the numbers of searches are the least possible"
        )
    return sd, between or 0.0


def _measured(settings: Settings, experiment: str, console: Console) -> tuple[float | None, float | None]:
    from search.compare.analyse.analysis import analyse
    from search.compare.analyse.planning import between_searches
    from search.compare.read.reader import read_experiment

    analysis = analyse(read_experiment(settings.tracking.uri, experiment, settings.task))
    control, between = analysis.noise.control, between_searches(analysis)
    sd = None if control is None or control.sd is None else control.sd
    if sd is not None and control is not None:
        console.print(
            f"sd={sd.sd:.4g} from {control.trials} control trials (95 % interval {sd.low:.4g} to {sd.high:.4g})",
            highlight=False,
        )
    if between is not None:
        console.print(f"between={between:.4g} from the confirmed searches", highlight=False)
    return None if sd is None else sd.sd, between


if __name__ == "__main__":
    sys.exit(arguments.run(Settings, show, __doc__, "stopped"))
