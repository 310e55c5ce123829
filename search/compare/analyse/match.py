"""Which studies of two strategies can be held against each other, and by which programs."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.equal_budget import ANY, CommonBudget, equal_budget
from search.compare.analyse.gains import Evidence
from search.compare.analyse.intervals import Combination
from search.compare.read.tables import STOCK


@dataclass(frozen=True)
class Match:
    """A pair of strategies with what they can be compared on. `arms`: by search seed, the programs of both, where both are
    confirmed. `unconfirmed`: search seeds where they are not. `alone`: search seeds that only one of them has."""

    first: str
    second: str
    against_control: bool
    arms: dict[int, tuple[str, str]]
    unconfirmed: tuple[int, ...]
    alone: tuple[int, ...]
    identities: set[str]
    budget: CommonBudget

    @property
    def pairs(self) -> list[Combination]:
        """Advantages of the first: second minus first."""
        return [Combination({second: 1.0}) - Combination({first: 1.0}) for first, second in self.arms.values()]


def match_of(first: str, second: str, evidence: Evidence) -> Match:
    """The control's program is the stock whatever its seed and its budget, so any strategy is held against the stock."""
    experiment, table = evidence.experiment, evidence.table
    ours = {study.search_seed: study for study in experiment.of(first)}
    theirs = {study.search_seed: study for study in experiment.of(second)}
    reported = set() if evidence.scores is None else set(evidence.scores.confirmation)
    against_control = experiment.of(second)[0].is_control
    seeds = ours.keys() if against_control else ours.keys() & theirs.keys()
    studies = [ours[seed] for seed in seeds] + ([] if against_control else [theirs[seed] for seed in seeds])
    budget = ANY if against_control else equal_budget(experiment, studies, table, reported)
    arms: dict[int, tuple[str, str]] = {}
    if budget.equal and table is not None:
        for seed in sorted(seeds):
            pair = (budget.arm(ours[seed], table), STOCK if against_control else budget.arm(theirs[seed], table))
            if set(pair) <= reported:
                arms[seed] = (str(pair[0]), str(pair[1]))
    return Match(
        first=first,
        second=second,
        against_control=against_control,
        arms=arms,
        unconfirmed=tuple(sorted(seeds - arms.keys())) if budget.equal else (),
        alone=() if against_control else tuple(sorted(ours.keys() ^ theirs.keys())),
        identities={study.identity for study in studies},
        budget=budget,
    )
