"""How many control trials, confirmation repeats and searches do I need? From the measured noise of an experiment:

python -m search.compare.plan experiment=NAME
python -m search.compare.plan experiment=NAME difference=0.005,0.01

or from a standard deviation of your own:

python -m search.compare.plan sd=0.012 between=0.004

difference   in bits per byte, one or several; otherwise 0.5, 1, 2 and 4 standard deviations
sd           standard deviation of two trainings of one program
between      standard deviation of the difference between two searches' true scores
power        chance that a true difference is shown (0.8)
repeats      confirmation repeats that searches are planned with (5)
contrasts    in the headline family (3: agent, Optuna and the control)
task         of the experiment, where it has several
tracking.uri the MLflow store (as in conf/config.yaml)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from search.compare import arguments
from search.errors import UserError

KEYS: dict[str, Callable[[str], Any]] = {
    "experiment": str,
    "task": str,
    "tracking.uri": str,
    "difference": arguments.several,
    "sd": arguments.positive,
    "between": arguments.not_negative,
    "power": arguments.share,
    "repeats": arguments.count,
    "contrasts": arguments.count,
}


def main(given: list[str]) -> int:
    if not given or "--help" in given or "-h" in given:
        print(__doc__)
        return 0
    try:
        show(arguments.parse(given, KEYS))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def show(settings: dict[str, Any]) -> None:
    """Print the plan. Raises UserError."""
    from rich.console import Console
    from rich.table import Table

    from search.compare import planning, power
    from search.compare.confirmed import FEWEST_REPEATS

    console = Console()
    sd, between = _noise(settings, console)
    plan = planning.Plan(
        sd=sd,
        between=between,
        differences=tuple(settings.get("difference", planning.usual_differences(sd))),
        repeats=settings.get("repeats", FEWEST_REPEATS),
        contrasts=settings.get("contrasts", planning.CONTRASTS),
        power=settings.get("power", power.POWER),
    )
    found = Table()
    for title in ("difference", "control trials", "confirmation repeats", "searches per strategy"):
        found.add_column(title, justify="right")
    for cells in planning.in_words(planning.table(plan)):
        found.add_row(*cells)
    console.print(found)
    console.print(
        f"Control: until the stock's mean is known to half the difference. Repeats: a gain over the stock is shown with "
        f"power {plan.power:g}. Searches: an advantage over another strategy is, with {plan.repeats} repeats and as the "
        f"strictest of {plan.contrasts} contrasts; below {power.fewest_searches(plan.contrasts)} none can be. The minima "
        "of a stated contrast are kept.",
        highlight=False,
    )


def _noise(settings: dict[str, Any], console: Any) -> tuple[float, float]:
    """Standard deviations of a training and between searches, as given or as measured; what is assumed is said."""
    sd, between = settings.get("sd"), settings.get("between")
    if "experiment" in settings and (sd is None or between is None):
        measured_sd, measured_between = _measured(settings, console)
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


def _measured(settings: dict[str, Any], console: Any) -> tuple[float | None, float | None]:
    from search.compare.analysis import analyse
    from search.compare.planning import between_searches
    from search.compare.reader import read_experiment

    uri = settings.get("tracking.uri", arguments.usual_store())
    analysis = analyse(read_experiment(uri, settings["experiment"], settings.get("task")))
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
    sys.exit(main(sys.argv[1:]))
