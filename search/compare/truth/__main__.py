"""Does the comparison tell the truth? Simulated experiments whose truth is known, many of them:

python -m search.compare.truth            # 1,000 of each kind; half an hour on one core
python -m search.compare.truth 100

Without any effect, false claims must not be more frequent than alpha allows; with effects, intervals must cover them, the
parts of a gain must be unbiased, and what planning promises must be reached. Each false-claim rate and each power is held
against an exact binomial test at 1 %; coverage and bias, some 80 tests, against 1 % together (Holm).
"""

from __future__ import annotations

import gc
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from search.compare.analyse.analysis import analyse
from search.compare.analyse.power import POWER, Variances, repeats_against_stock, sign_flip_power, studies_needed, t_power
from search.compare.analyse.results import ALPHA, Analysis, Estimate
from search.compare.truth.trainer import PER_LOG, SAME_SEED
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, Truth, World, simulate

LEVEL = 0.01  # of the tests that judge the comparison
FULL = 1_000
HALF = ALPHA / 2  # a two-sided 95 % interval that lies above zero
ADVANTAGES = (0.012, 0.018, 0.03)  # bits per byte, for the planning of studies

NOTHING = (replace(AGENT, trials=8), replace(OPTUNA, trials=8), replace(CONTROL, trials=4))
EFFECTS = (
    replace(AGENT, trials=8, kinds=("both",), tuning=0.02, code=0.03, between=0.006, overfit=0.002),
    replace(OPTUNA, trials=8, tuning=0.03, between=0.006),
    replace(CONTROL, trials=4),
)

QUIET = World(NOTHING, anchor_every=2)
WITHOUT_EFFECT = {
    "normal noise": QUIET,
    "heavy tails": replace(QUIET, tails="heavy"),
    "skewed noise": replace(QUIET, tails="skewed"),
    "unequal variances": replace(QUIET, rivals=(replace(NOTHING[0], noise=3.0), *NOTHING[1:])),
    "drift": replace(QUIET, drift=0.02),
    "failures": replace(QUIET, failures=0.03, repeats=7),
    "few trials": replace(QUIET, rivals=(replace(AGENT, trials=2), replace(OPTUNA, trials=2), NOTHING[2])),
    "more looks": replace(QUIET, extensions=(10, 15)),
}
WITH_EFFECTS = {
    "normal noise": World(EFFECTS),
    "heavy tails": World(EFFECTS, tails="heavy"),
    "unequal variances": World((replace(EFFECTS[0], noise=2.0), *EFFECTS[1:])),
    "selected within a study": World((replace(EFFECTS[0], within=0.01), replace(EFFECTS[1], within=0.01), EFFECTS[2])),
}


@dataclass(frozen=True)
class Rate:
    """How often something happened that should happen at `nominal` rate. `alternative`: what would be wrong."""

    what: str
    count: int
    of: int
    nominal: float
    alternative: str

    @property
    def p(self) -> float:
        return float(stats.binomtest(self.count, self.of, self.nominal, self.alternative).pvalue)

    def __str__(self) -> str:
        found = f"{self.count} of {self.of} ({self.count / self.of:.1%}, nominal {self.nominal:.1%})"
        return f"{self.what}: {found}, p = {self.p:.3f}"


@dataclass(frozen=True)
class Bias:
    """Errors of an estimate, whose mean should be 0."""

    what: str
    errors: tuple[float, ...]

    @property
    def p(self) -> float:
        return float(stats.ttest_1samp(self.errors, 0.0).pvalue)

    def __str__(self) -> str:
        return f"{self.what}: bias {float(np.mean(self.errors)):+.5f}, p = {self.p:.3f}"


def experiments(world: World, count: int, seed: int) -> Iterator[tuple[Analysis, dict[str, Truth]]]:
    for number in range(count):
        experiment, truths = simulate(seed + number, world)
        yield analyse(experiment), truths


# ---- without effects ----


def false_claims(world: World, count: int, seed: int) -> list[Rate]:
    """Of each verdict, in `count` experiments in which no program is better than another. One study stands for all of an
    experiment, since studies share the stock's repeats."""
    claims: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    for analysis, _ in experiments(world, count, seed):
        for what, claimed in claims_of(analysis):
            stated[what] += 1
            claims[what] += claimed
    nominal = {"a study's gain": ALPHA, "any contrast": ALPHA, "any reverse contrast": ALPHA, "drift": ALPHA}
    if world.drift:
        del stated["drift"]  # it is there
    return [Rate(what, claims[what], stated[what], nominal.get(what, HALF), "greater") for what in stated]


def claims_of(analysis: Analysis) -> Iterator[tuple[str, bool]]:
    confirmed = analysis.studies[0].confirmed
    if confirmed is not None and not confirmed.missing:
        yield "a study's gain", confirmed.shown
    verdicts = [contrast.verdict for contrast in analysis.headline]
    if "not stated" not in verdicts:
        yield "any contrast", "shown" in verdicts
        yield "any reverse contrast", "reverse shown" in verdicts
    agent = analysis.strategies[0]
    for what in ("tuning", "code_and_interaction", "overfitting"):
        yield f"{what} of the agent", above_zero(getattr(agent, what))
    if any(drift.p is not None for drift in analysis.noise.drift):
        yield "drift", any("drifted" in caution for caution in analysis.cautions)


def above_zero(part: Estimate | None) -> bool:
    return part is not None and part.low is not None and part.low > 0 and not part.by_definition


# ---- with effects ----


def coverage(world: World, count: int, seed: int) -> list[Rate | Bias]:
    """How often intervals cover the truth, and the estimates' errors, of one study and of means over studies."""
    covered: Counter[str] = Counter()
    errors: dict[str, list[float]] = defaultdict(list)
    for analysis, truths in experiments(world, count, seed):
        for what, found, truth in [*of_one_search(analysis, truths), *of_means(analysis, world)]:
            assert found is not None and found.low is not None and found.high is not None
            covered[what] += found.low <= truth <= found.high
            errors[what].append(found.value - truth)
    alternative = "two-sided" if world.tails == "normal" else "less"  # heavy tails make t intervals too wide
    rates = [Rate(what, covered[what], len(found), 1 - ALPHA, alternative) for what, found in errors.items()]
    return [*rates, *(Bias(what, tuple(found)) for what, found in errors.items())]


def of_one_search(analysis: Analysis, truths: dict[str, Truth]) -> Iterator[tuple[str, Estimate | None, float]]:
    study = analysis.studies[0]
    truth, confirmed = truths[study.study], study.confirmed
    assert confirmed is not None and confirmed.decomposition is not None
    parts = confirmed.decomposition
    yield "gain", confirmed.gain.estimate, truth.gain
    yield "gain on validation", confirmed.gain_on_validation.estimate, truth.gain_on_validation
    yield "overfitting", confirmed.overfitting, truth.gain_on_validation - truth.gain
    yield "luck", parts.luck, truth.luck
    yield "tuning", parts.tuning, truth.tuning
    yield "code and interaction", parts.code_and_interaction, truth.code_and_interaction
    yield "shift of the stock", parts.stock_shift, 0.0  # without drift
    assert analysis.speed is not None
    yield "slope on tokens", analysis.speed.tokens[0].slope, -PER_LOG * math.log(0.99)


def of_means(analysis: Analysis, world: World) -> Iterator[tuple[str, Estimate | None, float]]:
    """Against means over all studies that could have been made; not where winners are selected within a study, whose mean
    has no formula."""
    agent, optuna = world.rivals[0], world.rivals[1]
    if agent.within:
        return
    mean = analysis.strategies[0]
    yield "mean tuning", mean.tuning, agent.tuning
    yield "mean code and interaction", mean.code_and_interaction, agent.code + agent.overfit
    yield "mean gain", mean.gain, agent.tuning + agent.code
    yield "advantage of the agent", analysis.headline[0].advantage, agent.tuning + agent.code - optuna.tuning


# ---- power ----


def power_of_repeats(count: int, seed: int) -> Iterator[Rate]:
    """A gain of 0.015 with noise of 0.01, and as many repeats as planning says. Programs differ in nothing else."""
    gain, sd = 0.015, trial_sd(0.01)
    repeats = repeats_against_stock(gain, sd)
    assert repeats is not None
    world = World((replace(OPTUNA, tuning=gain, trials=8), replace(CONTROL, trials=4)), studies=2, repeats=repeats)
    shown = 0
    for analysis, _ in experiments(world, count, seed):
        confirmed = analysis.studies[0].confirmed
        assert confirmed is not None
        shown += confirmed.shown
    exactly = t_power(gain / sd * math.sqrt(repeats / 2), 2 * repeats - 2, ALPHA)
    what = f"a gain of {gain} with {repeats} planned repeats is shown"
    yield Rate(f"{what}, at least as often as asked", shown, count, POWER, "less")
    yield Rate(f"{what}, as often as planned", shown, count, exactly, "two-sided")


def power_of_searches(count: int, seed: int, advantage: float) -> Iterator[Rate]:
    """Agent against Optuna with as many studies as planning says, as the strictest of three contrasts. Here it is not the
    strictest, since both are much better than the stock: it is shown more often than planned."""
    between, repeats, family = 0.006, 5, 3
    variances = Variances(between=2 * between**2, own=2 * trial_sd(0.01) ** 2)
    studies = studies_needed(variances, advantage, repeats, family)
    assert studies is not None
    agent = replace(AGENT, kinds=("constants",), tuning=0.05 + advantage, between=between, trials=4)
    optuna = replace(OPTUNA, tuning=0.05, between=between, trials=4)
    world = World((agent, optuna, replace(CONTROL, trials=4)), studies=studies, repeats=repeats)
    shown = strict = 0
    for analysis, _ in experiments(world, count, seed):
        contrast = analysis.headline[0]
        assert contrast.p is not None
        shown += contrast.verdict == "shown"
        strict += contrast.p <= ALPHA / family
    exactly = sign_flip_power(advantage / math.sqrt(variances.between + variances.own / repeats), studies, ALPHA / family)
    what = f"an advantage of {advantage} with {studies} planned studies"
    yield Rate(f"{what} is shown, at least as often as asked", shown, count, POWER, "less")
    yield Rate(f"{what} has p <= alpha / {family}, as often as planned", strict, count, exactly, "two-sided")


def trial_sd(sd: float) -> float:
    """Of one score in the fake world: seed, run and the split's own sampling."""
    assert 0 < SAME_SEED < 1
    return float(np.hypot(sd, 0.2 * sd))


def judge(results: Sequence[Rate | Bias], together: bool) -> int:
    """Print them; return how many are rejected at 1 %, each by itself or all together."""
    p_values = [result.p for result in results]
    if together:
        p_values = list(multipletests(p_values, method="holm")[1])
    for result, p in zip(results, p_values, strict=True):
        print(f"  {result}{'  <-- REJECTED' if p < LEVEL else ''}", flush=True)
    return sum(p < LEVEL for p in p_values)


def main(count: int) -> int:
    gc.freeze()  # statsmodels collects garbage at each correction; there is none
    rejected = 0
    for name, world in WITHOUT_EFFECT.items():
        print(f"\nwithout any effect, {name}: false claims")
        rejected += judge(false_claims(world, count, 10_000), together=False)
    found: dict[str, list[Rate | Bias]] = {}
    for name, world in WITH_EFFECTS.items():
        print(f"\nwith effects, {name}: intervals that cover the truth, and bias")
        found[name] = coverage(world, count, 20_000)
        judge(found[name], together=True)
    everything = [result for results in found.values() for result in results]
    rejected += int(sum(multipletests([result.p for result in everything], method="holm")[1] < LEVEL))
    print("\npower")
    rejected += judge(list(power_of_repeats(count, 30_000)), together=False)
    for advantage in ADVANTAGES:
        rejected += judge(list(power_of_searches(count, 40_000, advantage)), together=False)
    print(f"\n{rejected} rejected at {LEVEL:.0%}")
    return int(rejected > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else FULL))
