"""Who is better on fresh seeds and unseen text, at equal budget: two programs, two strategies, one against all baselines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from search.compare.analyse import minima
from search.compare.analyse.blocks import Score
from search.compare.analyse.budgets import Budget, arm_at, budget_of
from search.compare.analyse.effects import advantage, permutation
from search.compare.analyse.finding import Finding, Look, Missing, Name, Scope, Verdict, stated
from search.compare.analyse.intervals import variance_of
from search.compare.analyse.programs import T, corrected, failures_in_words, tested
from search.compare.analyse.quantity import Evidence, Measured, Quantity, difference, measure, weights_of
from search.compare.read.tables import Experiment, StudyTable
from search.config.commands import Pair

PERMUTATION = "exact permutation over studies"


def contrast_findings(evidence: Evidence, named: Sequence[Pair] = (), delta: float | None = None) -> list[Finding]:
    """Of every agent against every baseline, or of the pairs that a user names, which are then a family of their own; at
    each budget that the confirmation was given. Winners of early budgets are one more family (Holm), beside the final ones.
    `delta`: a difference below which two are as good as equal."""
    pairs = list(named) or default_pairs(evidence.experiment)
    table = evidence.experiment.confirmation
    budgets = [None, *(() if table is None or not table.plans else table.plans[-1].at)]
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
    missing = [*budget.missing, *(lack for label in pair for lack in minima.studies(evidence.experiment, label))]
    missing += minima.repeats(evidence.experiment, everything, blocks, minima.STUDY_REPEATS)
    missing += minima.independence(everything)
    missing += [] if missing else minima.enough_ways(evidence.experiment, pair, look)
    first, second = ([effect.value for effect in mine] for mine in effects)
    failed = sum(effect.failed for mine in effects for effect in mine)
    finding = replace(
        _unstated(look, budget, missing, evidence),
        subject=pair[0],
        against=pair[1],
        at=at,
        method=PERMUTATION,
        studies=min(map(len, effects)),
        repeats=blocks,
        estimate=advantage(first, second) if first and second else None,
        remarks=(budget.words, *([f"{failed} of the winners failed where the stock trained well"] if failed else [])),
    )
    if finding.missing or not (first and second):
        yield finding
        return
    yield stated(finding, permutation(first, second), permutation(second, first))
    if delta is not None:
        above = permutation([value + delta for value in first], second)
        below = permutation([value + delta for value in second], first)
        yield _equivalent(finding, delta, max(above, below))


def _programs(pair: Pair, at: int | None, evidence: Evidence, delta: float | None) -> Iterator[Finding]:
    """The winners of two studies of one search seed, for every seed that both strategies have."""
    second = {study.search_seed: study for study in evidence.experiment.of(pair[1])}
    found: list[tuple[Measured, StudyTable, Budget]] = []
    for mine in evidence.experiment.of(pair[0]):
        other = second.get(mine.search_seed)
        if other is None or (at is not None and min(len(mine.trials), len(other.trials)) < at):
            continue
        budget = budget_of(evidence.experiment, [mine, other], at)
        arms = [_arm(study, budget, evidence) for study in (mine, other)]
        weights = [weights_of(arm) for arm in arms if arm is not None]
        if len(weights) < len(arms):
            continue
        measured = measure(Quantity(Name.ADVANTAGE, mine, difference(*weights), Score.UNSEEN, at=at), evidence.blocks)
        if measured is not None:
            found.append((measured, other, budget))
    variances = [variance_of(measured.values) for measured, _, _ in found if measured.quantity.weights]
    alike = tuple(variance for variance in variances if variance is not None)
    for measured, other, budget in found:
        yield from _of_programs(replace(measured, alike=alike), other, budget, evidence, delta)


def _of_programs(
    measured: Measured, other: StudyTable, budget: Budget, evidence: Evidence, delta: float | None
) -> Iterator[Finding]:
    mine, same = measured.quantity.study, not measured.quantity.weights
    blocks = minima.PROGRAM_REPEATS if same else measured.blocks
    missing = [*budget.missing, *minima.repeats(evidence.experiment, [mine, other], blocks, minima.PROGRAM_REPEATS)]
    finding = _unstated(evidence.look([[mine], [other]], minima.PROGRAM_REPEATS, 1), budget, missing, evidence)
    finding = replace(
        finding,
        scope=Scope.PROGRAMS,
        subject=mine.identity,
        against=other.identity,
        at=measured.quantity.at,
        estimate=measured.estimate,
        method="one program" if same else T,
        studies=1,
        repeats=measured.blocks,
        remarks=(*finding.remarks, *failures_in_words(measured)),
    )
    p, p_reverse = (None, None) if measured.failures else tested(measured.value, measured.variance)
    yield stated(finding, p, p_reverse)
    if delta is not None and not finding.missing and p is not None:
        above, below = (tested(sign * measured.value + delta, measured.variance)[0] for sign in (1, -1))
        if above is not None and below is not None:
            yield _equivalent(finding, delta, max(above, below))


def _unstated(look: Look, budget: Budget, missing: Sequence[Missing], evidence: Evidence) -> Finding:
    """What contrasts have in common before they are tested."""
    return Finding(
        scope=Scope.STRATEGIES,
        name=Name.ADVANTAGE,
        subject="",
        look=look,
        missing=(*minima.control(evidence.experiment, evidence.noise.trials), *missing),
        verdict=Verdict.NOT_STATED,
        remarks=(budget.words,),
    )


def _claims(contrasts: Sequence[Finding], at: int | None) -> Iterator[Finding]:
    """That a strategy is better than every baseline: shown where it is shown for each. Such an intersection-union test needs
    no correction (Berger 1982)."""
    for subject in dict.fromkeys(finding.subject for finding in contrasts):
        mine = [one for one in contrasts if (one.subject, one.name, one.at) == (subject, Name.ADVANTAGE, at)]
        if not mine:
            continue
        least = min(mine, key=lambda one: one.estimate.value if one.estimate is not None else -np.inf)
        verdicts = {one.verdict for one in mine}
        verdict = next(
            (one for one in (Verdict.NOT_STATED, Verdict.NOT_SHOWN, Verdict.REVERSE) if one in verdicts), Verdict.SHOWN
        )
        if verdict is Verdict.REVERSE and verdicts != {Verdict.REVERSE}:
            verdict = Verdict.NOT_SHOWN
        yield replace(
            least,
            scope=Scope.CLAIM,
            against=" and ".join(str(one.against) for one in mine),
            p=_worst([one.p for one in mine]),
            p_reverse=_worst([one.p_reverse for one in mine]),
            verdict=verdict,
            missing=tuple(dict.fromkeys(missing for one in mine for missing in one.missing)),
            remarks=tuple(dict.fromkeys(remark for one in mine for remark in one.remarks)),
        )


def _arm(study: StudyTable, budget: Budget, evidence: Evidence) -> str | None:
    planned = evidence.planned.get(study.identity)
    if planned is None:
        return None
    return planned.winner.name if budget.at is None else arm_at(study, evidence.planned, budget.at)


def _effects(studies: Sequence[StudyTable], budget: Budget, evidence: Evidence) -> list[Measured]:
    """What the studies' winners gain in blocks, of those that have any; the stock needs none."""
    arms = [(study, _arm(study, budget, evidence)) for study in studies]
    gains = [Quantity(Name.GAIN, study, weights_of(arm), Score.UNSEEN) for study, arm in arms if arm is not None]
    return [measured for gain in gains if (measured := measure(gain, evidence.blocks)) is not None]


def _equivalent(finding: Finding, delta: float, p: float) -> Finding:
    """Both one-sided tests (Schuirmann 1987): neither is better than the other by `delta`."""
    remarks = (*finding.remarks, f"neither is better by {delta:g}")
    return stated(replace(finding, name=Name.EQUIVALENCE, remarks=remarks), p)


def _pair_of(finding: Finding, evidence: Evidence) -> Pair:
    strategies = {study.identity: study.strategy for study in evidence.experiment.studies}
    return strategies[finding.subject], strategies[str(finding.against)]


def _worst(p_values: Sequence[float | None]) -> float | None:
    return None if None in p_values else max(p for p in p_values if p is not None)
