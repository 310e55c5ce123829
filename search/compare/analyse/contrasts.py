"""Who is better on fresh seeds and unseen text, at equal budget: two programs, two strategies, one against all baselines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from search.compare.analyse import minima
from search.compare.analyse.blocks import Score
from search.compare.analyse.budgets import Budget, arm_at, budget_of
from search.compare.analyse.effects import advantage, permutation
from search.compare.analyse.finding import Finding, Look, Missing, Name, Scope, Verdict, stated
from search.compare.analyse.intervals import tested
from search.compare.analyse.programs import T, corrected, failures_in_words
from search.compare.analyse.quantity import Evidence, Measured, Quantity, beside, difference, measure, weights_of
from search.compare.read.tables import Experiment, StudyTable
from search.config.commands import Pair

PERMUTATION = "exact permutation over studies"


def contrast_findings(evidence: Evidence, named: Sequence[Pair] = (), delta: float | None = None) -> list[Finding]:
    """Of every agent against every baseline, or of the pairs that a user names, which are then a family of their own; at
    each budget that the confirmation was given. Winners of early budgets are one more family (Holm), beside the final ones.
    `delta`: a difference below which two are as good as equal."""
    pairs = list(named) or default_pairs(evidence.experiment)
    budgets = [None, *evidence.experiment.confirmation.at]
    asked = [(pair, at) for at in budgets for pair in pairs]
    programs = [finding for pair, at in asked for finding in _programs(pair, at, evidence, delta)]
    programs = corrected(programs, lambda one: (_pair_of(one, evidence), one.name, one.at is None), "search seeds")
    strategies = [finding for pair, at in asked for finding in _strategies(pair, at, evidence, delta)]
    if named:
        return [*programs, *corrected(strategies, lambda one: (one.name, one.at is None), "contrasts")]
    strategies = corrected(strategies, lambda one: (one.subject, one.against, one.name, one.at is None), "budgets")
    return [*programs, *strategies, *(claim for at in budgets for claim in _claims(strategies, at))]


def default_pairs(experiment: Experiment) -> list[Pair]:
    agents = [label for label in experiment.strategies if experiment.role_of(label) == "agent"]
    baselines = [label for label in experiment.strategies if experiment.role_of(label) == "baseline"]
    return list(itertools.product(agents, baselines))


def _strategies(pair: Pair, at: int | None, evidence: Evidence, delta: float | None) -> Iterator[Finding]:
    studies = [evidence.experiment.of(label) for label in pair]
    everything = [*studies[0], *studies[1]]
    if at is not None and min(len(study.trials) for study in everything) < at:
        return
    budget = budget_of(evidence.experiment, everything, at)
    effects = [_effects(mine, budget, evidence) for mine in studies]
    blocks = min((effect.blocks for mine in effects for effect in mine if effect.blocks), default=minima.STUDY_REPEATS)
    look = evidence.look(studies, minima.STUDY_REPEATS, minima.STUDIES)
    first, second = ([effect.value for effect in mine] for mine in effects)
    failed = sum(effect.failed for mine in effects for effect in mine)
    finding = Finding(
        scope=Scope.STRATEGIES,
        name=Name.ADVANTAGE,
        subject=pair[0],
        against=pair[1],
        at=at,
        estimate=advantage(first, second) if first and second else None,
        look=look,
        verdict=Verdict.NOT_STATED,
        method=PERMUTATION,
        studies=min(map(len, effects)),
        repeats=blocks,
        missing=_missing(pair, budget, blocks, look, evidence),
        remarks=(budget.words, *([f"{failed} of the winners failed where the stock trained well"] if failed else [])),
    )
    if finding.missing or not (first and second):
        yield finding
        return

    def test(shift: float) -> tuple[float, float]:
        shifted = [value + shift for value in first]
        return permutation(shifted, second), permutation(second, shifted)

    yield from _answers(finding, test, delta)


def _missing(pair: Pair, budget: Budget, blocks: int, look: Look, evidence: Evidence) -> tuple[Missing, ...]:
    """What two strategies lack. More ways to part studies are asked for last: other lacks may add studies anyway."""
    experiment = evidence.experiment
    everything = [study for label in pair for study in experiment.of(label)]
    found = [*budget.missing, *(lack for label in pair for lack in minima.studies(experiment, label))]
    found += minima.repeats(experiment, everything, blocks, minima.STUDY_REPEATS)
    found += minima.independence(everything)
    found += [] if found else minima.enough_ways(experiment, pair, look)
    return (*minima.control(experiment, evidence.noise.trials), *found)


def _programs(pair: Pair, at: int | None, evidence: Evidence, delta: float | None) -> Iterator[Finding]:
    """The winners of two studies of one search seed, for every seed that both strategies have."""
    second = {study.search_seed: study for study in evidence.experiment.of(pair[1])}
    found: list[tuple[Measured, StudyTable, Budget]] = []
    for mine in evidence.experiment.of(pair[0]):
        other = second.get(mine.search_seed)
        if other is None or (at is not None and min(len(mine.trials), len(other.trials)) < at):
            continue
        budget = budget_of(evidence.experiment, [mine, other], at)
        arms = [arm_at(study, evidence.planned, budget.at) for study in (mine, other)]
        weights = [weights_of(arm) for arm in arms if arm is not None]
        if len(weights) < len(arms):
            continue
        measured = measure(Quantity(Name.ADVANTAGE, mine, difference(*weights), Score.UNSEEN, at=at), evidence.blocks)
        if measured is not None:
            found.append((measured, other, budget))
    alike = [measured for measured, _, _ in found]
    for measured, other, budget in found:
        yield from _of_programs(beside(measured, alike), other, budget, evidence, delta)


def _of_programs(
    measured: Measured, other: StudyTable, budget: Budget, evidence: Evidence, delta: float | None
) -> Iterator[Finding]:
    mine, same = measured.quantity.study, not measured.quantity.weights
    blocks = minima.PROGRAM_REPEATS if same else measured.blocks
    finding = Finding(
        scope=Scope.PROGRAMS,
        name=Name.ADVANTAGE,
        subject=mine.identity,
        against=other.identity,
        at=measured.quantity.at,
        estimate=measured.estimate,
        look=evidence.look([[mine], [other]], minima.PROGRAM_REPEATS, 1),
        method="one program" if same else T,
        studies=1,
        repeats=measured.blocks,
        missing=(
            *minima.control(evidence.experiment, evidence.noise.trials),
            *budget.missing,
            *minima.repeats(evidence.experiment, [mine, other], blocks, minima.PROGRAM_REPEATS),
        ),
        remarks=(budget.words, *failures_in_words(measured)),
    )
    variance = None if measured.failures else measured.variance
    yield from _answers(finding, lambda shift: tested(measured.value + shift, variance), delta)


def _answers(
    finding: Finding, test: Callable[[float], tuple[float | None, float | None]], delta: float | None
) -> Iterator[Finding]:
    """The advantage, and whether the two are equivalent by `delta`: by both one-sided tests (Schuirmann 1987). `test`: p
    either way, where the first was better by so much more."""
    yield stated(finding, *test(0.0))
    if delta is None or finding.missing:
        return
    above, below = test(delta)[0], test(-delta)[1]
    if above is not None and below is not None:
        remarks = (*finding.remarks, f"neither is better by {delta:g}")
        yield stated(replace(finding, name=Name.EQUIVALENCE, remarks=remarks), max(above, below))


def _claims(contrasts: Sequence[Finding], at: int | None) -> Iterator[Finding]:
    """That a strategy is better than every baseline: shown where it is shown for each. Such an intersection-union test needs
    no correction (Berger 1982)."""
    for subject in dict.fromkeys(finding.subject for finding in contrasts):
        mine = [one for one in contrasts if (one.subject, one.name, one.at) == (subject, Name.ADVANTAGE, at)]
        if not mine:
            continue
        least = min(mine, key=lambda one: one.estimate.value if one.estimate is not None else -np.inf)
        verdicts = {one.verdict for one in mine}
        mixed = Verdict.NOT_STATED if Verdict.NOT_STATED in verdicts else Verdict.NOT_SHOWN
        yield replace(
            least,
            scope=Scope.CLAIM,
            against=" and ".join(str(one.against) for one in mine),
            p=_worst([one.p for one in mine]),
            p_reverse=_worst([one.p_reverse for one in mine]),
            verdict=verdicts.pop() if len(verdicts) == 1 else mixed,
            missing=tuple(dict.fromkeys(missing for one in mine for missing in one.missing)),
            remarks=tuple(dict.fromkeys(remark for one in mine for remark in one.remarks)),
        )


def _effects(studies: Sequence[StudyTable], budget: Budget, evidence: Evidence) -> list[Measured]:
    """What the studies' winners gain in blocks, of those that have any; the stock needs none."""
    arms = [(study, arm_at(study, evidence.planned, budget.at)) for study in studies]
    gains = [Quantity(Name.GAIN, study, weights_of(arm), Score.UNSEEN) for study, arm in arms if arm is not None]
    return [measured for gain in gains if (measured := measure(gain, evidence.blocks)) is not None]


def _pair_of(finding: Finding, evidence: Evidence) -> Pair:
    strategies = {study.identity: study.strategy for study in evidence.experiment.studies}
    return strategies[finding.subject], strategies[str(finding.against)]


def _worst(p_values: Sequence[float | None]) -> float | None:
    return None if None in p_values else max(p for p in p_values if p is not None)
