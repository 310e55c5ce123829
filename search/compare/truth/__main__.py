"""Does the comparison tell the truth? Simulated experiments whose truth is known, many of them:

python -m search.compare.truth            # 2,000 of each kind; some 40 minutes on two idle cores
python -m search.compare.truth 100
python -m search.compare.truth 2000 steady "is one"    # what has these words in its name: worlds, and what is planned

Without any effect, false claims must not be more frequent than alpha allows; with effects, intervals must cover them and
estimates be unbiased; and what planning promises must be reached. Each rate of false claims is held against an exact
binomial test at 1 %.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from scipy import stats

from search.compare.analyse.analysis import Findings, findings_of
from search.compare.analyse.design import GAIN, PROGRAMS, STRATEGIES, Assumptions, Design, cheapest, designs_of, power_of
from search.compare.analyse.finding import ALPHA, Estimate, Name, Scope
from search.compare.analyse.quantity import evidence_of
from search.compare.read.tables import Experiment
from search.compare.truth import world
from search.compare.truth.trainer import Noise
from search.compare.truth.world import Truth, World, looks, simulate
from search.compare.truth.worlds import NO_CLAIM_IS_FALSE, WITH_EFFECTS, WITHOUT_EFFECT

LEVEL = 0.01  # of the tests that judge the comparison
FULL = 2_000
AGENT, OPTUNA = "agent-playbook", "optuna-tpe"
TESTED = (Name.GAIN, Name.TUNING, Name.CODE, Name.OVERFITTING)
PLANNED = Assumptions(sd=0.00103, paired=0.38, between=(0.003, 0.002), known=math.inf, minutes=5.5, trials=100, again=0.0005)
COVER = (0.93, 0.97)  # of intervals that should be 95 %

T = TypeVar("T")
Seen = tuple[str, bool]
Covered = tuple[str, Estimate, float]


def claims(seed: int, kind: World) -> list[Seen]:
    """What is claimed in one experiment without any effect, at its last look or, where there are several, at any of them:
    whoever stops when something is shown."""
    found: dict[str, bool] = {}
    for experiment in looks(seed, kind):
        for what, claimed in _claims(experiment):
            found[what] = found.get(what, False) or claimed
    return list(found.items())


def _claims(experiment: Experiment) -> Iterator[Seen]:
    """Each kind of claim as a family: of several winners, whether any is said to be better."""
    table = findings_of(evidence_of(experiment))
    for strategy in (AGENT, OPTUNA):
        for name in TESTED:
            winners = [one for study in experiment.of(strategy) for one in table.of(Scope.PROGRAM, name, study.identity)]
            if any(not one.missing and one.p is not None for one in winners):
                yield f"{name} of any winner of {strategy}", any(one.shown for one in winners)
            mean = table.find(Scope.STRATEGY, name, strategy)
            if mean is not None and mean.p is not None:
                yield f"{name} of {strategy}", mean.shown
    for scope, at in itertools.product((Scope.PROGRAMS, Scope.STRATEGIES, Scope.CLAIM), (False, True)):
        found = [one for one in table.findings if (one.scope, one.at is not None) == (scope, at) and one.p is not None]
        # One family for each pair of strategies: of the second pair nothing is said here.
        contrasts = [one for one in found if OPTUNA in str(one.against)]
        if contrasts:
            early = ", early budgets" if at else ""
            yield f"{scope}: agent better{early}", any(one.verdict == "shown" for one in contrasts)
            yield f"{scope}: agent worse{early}", any(one.verdict == "reverse shown" for one in contrasts)


def covered(seed: int, kind: World) -> list[Covered]:
    """Intervals of one experiment, and what they should cover."""
    experiment, truths = simulate(seed, kind)
    table = findings_of(evidence_of(experiment))
    return [one for one in _covered(table, truths, kind) if one[1].low is not None and not one[1].by_definition]


def _covered(table: Findings, truths: dict[str, Truth], kind: World) -> Iterator[Covered]:
    first = {strategy: f"simulated/cpu/{strategy}/0" for strategy in (AGENT, OPTUNA)}
    for name in (*TESTED, Name.LUCK):
        for finding in table.of(Scope.PROGRAM, name, first[AGENT]):
            assert finding.estimate is not None
            yield f"{name} of one winner", finding.estimate, getattr(truths[first[AGENT]], name.name.lower())
    for finding in table.of(Scope.PROGRAMS, Name.ADVANTAGE, first[AGENT]):
        assert finding.estimate is not None
        yield "advantage of one winner", finding.estimate, truths[first[AGENT]].gain - truths[first[OPTUNA]].gain
    agent = [truth for study, truth in truths.items() if AGENT in study]
    luck = table.find(Scope.STRATEGY, Name.LUCK, AGENT)
    if luck is not None and luck.estimate is not None:
        yield "mean luck of these studies", luck.estimate, float(np.mean([truth.luck for truth in agent]))
    if kind.rivals[0].within:  # the mean of selected winners has no formula
        return
    yield from _means(table, kind)


def _means(table: Findings, kind: World) -> Iterator[Covered]:
    agent, optuna, unseen = kind.rivals[0], kind.rivals[1], kind.noise.unseen
    share = 1 - agent.unlucky
    gain = table.find(Scope.STRATEGY, Name.GAIN, AGENT)
    advantage = table.find(Scope.STRATEGIES, Name.ADVANTAGE, AGENT)
    if gain is not None and gain.estimate is not None:
        yield "mean gain", gain.estimate, unseen * share * (agent.tuning + agent.code)
    if advantage is not None and advantage.estimate is not None:
        truth = share * (agent.tuning + agent.code) - optuna.tuning - optuna.code
        yield "mean advantage", advantage.estimate, unseen * truth


def false_claims(name: str, kind: World, count: int) -> int:
    """Print how often each kind of claim is made without any effect; return how many are rejected."""
    claimed: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    for found in _all(partial(claims, kind=kind), name, count):
        for what, shown in found:
            if any(what.startswith(true) for true in NO_CLAIM_IS_FALSE.get(name, ())):
                continue
            stated[what] += 1
            claimed[what] += shown
    print(f"\nwithout any effect, {name}: false claims (nominal {ALPHA:.0%})")
    rejected = 0
    for what, of in stated.items():
        p = float(stats.binomtest(claimed[what], of, ALPHA, "greater").pvalue)
        rejected += p < LEVEL
        print(f"  {what}: {claimed[what] / of:.3f} of {of}{'  <-- REJECTED' if p < LEVEL else ''}", flush=True)
    return rejected


def coverage(name: str, kind: World, count: int) -> None:
    """Print how often intervals cover the truth, how far they reach, and the estimates' bias."""
    inside: Counter[str] = Counter()
    errors: dict[str, list[float]] = defaultdict(list)
    reaches: dict[str, list[float]] = defaultdict(list)
    for found in _all(partial(covered, kind=kind), name, count):
        for what, estimate, truth in found:
            assert estimate.low is not None and estimate.high is not None
            inside[what] += estimate.low <= truth <= estimate.high
            errors[what].append(estimate.value - truth)
            reaches[what].append((estimate.high - estimate.low) / 2)
    print(f"\nwith effects, {name}: coverage, half-width, bias")
    for what, mine in errors.items():
        share, error = inside[what] / len(mine), float(stats.sem(mine))
        outside = "" if COVER[0] <= share <= COVER[1] else "  <-- outside 93 to 97 %"
        print(
            f"  {what}: {share:.3f} of {len(mine)}, +-{np.median(reaches[what]):.6f}, "
            f"bias {np.mean(mine):+.6f} +- {error:.6f}{outside}",
            flush=True,
        )


def power(question: str, difference: float, count: int) -> None:
    """Print how often the cheapest design for a difference shows it, in a world that is as was planned for."""
    (design,) = cheapest(difference, designs_of(PLANNED, [question]))
    shown = sum(_all(partial(_shown, design=design, difference=difference), question, count))
    studies = " + ".join(str(studies) for studies in design.studies if studies)
    print(
        f"  {question}, by {difference:g}: {studies} studies, {design.repeats} repeats, {design.hours:.0f} hours: shown in "
        f"{shown / count:.3f} of {count}, planned {power_of(design, difference, PLANNED):.3f}",
        flush=True,
    )


def _shown(seed: int, design: Design, difference: float) -> bool:
    between = PLANNED.between if design.question == STRATEGIES else (0.0, 0.0)
    agent = replace(world.AGENT, code=difference, between=between[0], trials=16)  # enough to find it
    rivals = (agent, replace(world.OPTUNA, between=between[1], trials=16), world.CONTROL)
    found = simulate(seed, World(rivals, Noise(), plans=((max(design.studies), design.repeats),)))[0]
    kept = tuple(
        study for study in found.studies if study.is_control or study.search_seed < _studies(design, study.strategy)
    )
    table = findings_of(evidence_of(replace(found, studies=kept)))
    if design.question == GAIN:
        return any(one.shown for one in table.of(Scope.PROGRAM, Name.GAIN, f"simulated/cpu/{AGENT}/0"))
    scope = Scope.PROGRAMS if design.question == PROGRAMS else Scope.STRATEGIES
    return any(one.shown for one in table.of(scope, Name.ADVANTAGE))


def _studies(design: Design, strategy: str) -> int:
    return max(1, design.studies[0 if strategy == AGENT else 1])


def _all(one: partial[T], name: str, count: int) -> Iterable[T]:
    """Of so many experiments, which no other world has."""
    first = zlib.crc32(name.encode())
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(one, range(first, first + count), chunksize=10)


def main(count: int, *wanted: str) -> int:
    """`wanted`: parts of the names of worlds and questions; all where there are none."""

    def is_wanted(name: str) -> bool:
        return not wanted or any(part in name for part in wanted)

    rejected = sum(false_claims(name, kind, count) for name, kind in WITHOUT_EFFECT.items() if is_wanted(name))
    for name, kind in WITH_EFFECTS.items():
        if is_wanted(name):
            coverage(name, kind, count)
    print("\npower of what is planned")
    for question, difference in ((GAIN, 0.001), (PROGRAMS, 0.001), (STRATEGIES, 0.005)):
        if is_wanted(question):
            power(question, difference, count)
    print(f"\n{rejected} rejected at {LEVEL:.0%}")
    return int(rejected > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else FULL, *sys.argv[2:]))
