"""What must be there before a contrast is stated, and the commands that add it."""

from __future__ import annotations

import itertools

from search.compare.analyse import power
from search.compare.analyse.confirmed import FEWEST_REPEATS
from search.compare.analyse.noise import FEWEST_CONTROL
from search.compare.analyse.results import Missing
from search.compare.read.tables import Experiment
from search.compare.show import remedies

FEWEST_STUDIES = 6  # per strategy: with three contrasts, the first number that Holm's correction leaves a chance


def fewest_studies(family: int) -> int:
    """With more contrasts, more studies: a sign-flip test of n pairs has no p below 1 / 2^n."""
    return max(FEWEST_STUDIES, power.fewest_studies(family))


def control(experiment: Experiment, scores: int) -> list[Missing]:
    """Trials of the control."""
    if scores >= FEWEST_CONTROL:
        return []
    what = f"{FEWEST_CONTROL - scores} of {FEWEST_CONTROL} control trials"
    if not experiment.control:
        return [Missing(what, remedies.control(experiment))]
    study = experiment.control[0]
    trials = len(study.trials) + FEWEST_CONTROL - scores
    return [Missing(what, remedies.longer(experiment, study, [study.search_seed], trials))]


def studies(experiment: Experiment, first: str, second: str, family: int) -> list[Missing]:
    """Search seeds that both strategies need; those come first that one of them has already."""
    compared = [label for label in (first, second) if not experiment.of(label)[0].is_control]
    have = {label: {study.search_seed for study in experiment.of(label)} for label in compared}
    both = set.intersection(*have.values())
    fewest = fewest_studies(family)
    started = sorted(set.union(*have.values()) - both)
    fresh = (seed for seed in itertools.count() if seed not in both and seed not in started)
    wanted = list(itertools.islice(itertools.chain(started, fresh), max(0, fewest - len(both))))
    found = []
    for label, seeds in have.items():
        lacking = sorted(set(wanted) - seeds)
        if lacking:
            what = f"{len(lacking)} of {fewest} studies of {label}"
            found.append(Missing(what, remedies.studies(experiment, experiment.of(label)[0], lacking)))
    return found


def confirmation(experiment: Experiment, seeds: tuple[int, ...]) -> Missing:
    """The winners that have none. `seeds`: their search seeds, where some winners are confirmed."""
    table = experiment.confirmation
    repeats = max(FEWEST_REPEATS, table.plans[-1].repeats) if table is not None and table.plans else FEWEST_REPEATS
    which = f" of search seeds {', '.join(str(seed) for seed in seeds)}" if table is not None else ""
    return Missing(f"the confirmation of the winners{which}", remedies.confirm(experiment, repeats))
