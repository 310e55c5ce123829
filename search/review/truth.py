"""Checks that the page tells the truth, on many simulated logs whose truth is known:

python -m search.review.truth          # 2,000 of each kind; some minutes
python -m search.review.truth 100

In at most 5 % of logs without an improvement, something may be called beyond luck. In at most 5 % of the other logs, a keep
that is not an improvement may be called one. In at most 5 %, the gain that is called true may exceed the true gain. A
binomial test at 1 % checks each rate.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.config.commands import ReviewNoiseConfig
from search.review.analysis import Review, review
from search.review.keeps import Keep, Verdict
from search.review.luck import LEVEL
from search.review.noise import noise_of
from search.review.read.log import Log, Logged
from search.review.read.words import Became

FULL, TEST = 2_000, 0.01
START = 1.0  # the start's true score


@dataclass(frozen=True)
class World:
    """`trials`: beside the start. `sd`: the noise of one training run; `runs`: on which that was measured, 0 where it is
    exact; `repeats`: of the start in the log itself, from which it is measured instead. `rule`: what is kept. `steps`: true
    improvements, of `size` standard deviations each. `harmful`: share of changes that are truly worse. `tails`: degrees of
    freedom of the noise's t distribution."""

    name: str
    trials: int = 125
    sd: float = 0.0007
    runs: int = 0
    repeats: int = 0
    rule: str = "best"
    steps: int = 0
    size: float = 0.0
    harmful: float = 0.0
    tails: float = np.inf


@dataclass(frozen=True)
class Seen:
    """What a page said of one log. `beyond`: any gain at all; `false_keep`: a keep beyond luck that is not better than what
    it is compared with; `too_much`: more gain is called true than is; `found`: keeps beyond luck for each true step."""

    beyond: bool
    false_keep: bool
    too_much: bool
    found: float


SIZES, FEW = (20, 60, 125, 300, 700), (20, 125)
NULL = (
    *(World(f"{trials} trials, exact noise", trials) for trials in SIZES),
    *(World(f"125 trials, exact noise of {sd:g}", sd=sd) for sd in (1e-5, 0.05, 3.0)),
    *(World(f"{trials} trials, noise from {n} runs", trials, runs=n) for trials in (*FEW, 700) for n in (3, 8, 44)),
    *(World(f"{trials} trials, noise from {n} repeats in the log", trials, repeats=n) for trials in FEW for n in (2, 5)),
    *(World(f"125 trials, keeps by {rule}", rule=rule) for rule in ("margin", "lenient", "chance", "again")),
    World("125 trials, half of them harmful", harmful=0.5),
)
MIXED = (
    World("60 steps of 6 sd among 125 trials", steps=60, size=6.0),
    World("5 steps of 6 sd", steps=5, size=6.0),
    World("5 steps of 6 sd, noise from 5 repeats in the log", steps=5, size=6.0, repeats=5),
    World("20 steps of 1 sd", steps=20, size=1.0),
    World("3 steps of 8 sd, noise from 8 runs", steps=3, size=8.0, runs=8),
    World("1 step of 8 sd in 20 trials", 20, steps=1, size=8.0),
)
UNPROMISED = (
    World("125 trials, heavy tails (t, 5 degrees)", tails=5),
    World("125 trials, heavy tails (t, 3 degrees)", tails=3),
)


def simulate(seed: int, world: World) -> tuple[Log, ReviewNoiseConfig, list[float]]:
    """Returns a log, what its user says of its noise, and the true score of each trial's program."""
    random = np.random.default_rng([seed, zlib.crc32(world.name.encode())])
    better = set(random.choice(np.arange(1, world.trials + 1), world.steps, replace=False).tolist())
    again = set(random.choice(np.arange(1, world.trials + 1), world.repeats, replace=False).tolist()) - better
    standing = best = 0.0
    trials, truth = [], []
    for at in range(world.trials + 1):
        true = (
            standing - world.size * world.sd * (at in better) + 5 * world.sd * (random.random() < world.harmful and at > 0)
        )
        if at in again:
            true = 0.0
        score = true + world.sd * _draw(random, world)
        kept = at == 0 or (at not in again and _keeps(score - best, world, random))
        if kept and world.rule == "again" and at:
            score = min(score, true + world.sd * _draw(random, world))
        name = "start" if at == 0 or at in again else f"change {at}"
        trials.append(Logged(at + 1, at + 2, name, name, Became.KEPT if kept else Became.DISCARDED, START + score))
        truth.append(true)
        if kept:
            standing, best = true, score if at == 0 else min(best, score)
    return Log("simulated", "val_bpb", "", True, tuple(trials), ()), _told(world, random), truth


def _draw(random: np.random.Generator, world: World) -> float:
    """Draws a number of standard deviation 1."""
    if np.isinf(world.tails):
        return float(random.standard_normal())
    return float(random.standard_t(world.tails) / np.sqrt(world.tails / (world.tails - 2)))


def _keeps(difference: float, world: World, random: np.random.Generator) -> bool:
    """Says whether a trial is kept. `difference`: to the best kept score, below 0 if it is better."""
    limits = {"best": 0.0, "again": 0.0, "margin": -0.5 * world.sd, "lenient": 0.5 * world.sd}
    return bool(random.random() < 0.2) if world.rule == "chance" else difference < limits[world.rule]


def _told(world: World, random: np.random.Generator) -> ReviewNoiseConfig:
    if world.repeats:
        return ReviewNoiseConfig(repeats="same")
    if not world.runs:
        return ReviewNoiseConfig(sd=world.sd, repeats="none")
    sd = world.sd * np.sqrt(random.chisquare(world.runs - 1) / (world.runs - 1))
    return ReviewNoiseConfig(sd=float(sd), runs=world.runs, repeats="none")


def seen(seed: int, world: World) -> Seen:
    """Simulates one log, and checks what the review says of it against the truth."""
    log, told, truth = simulate(seed, world)
    reviewed = review(log, noise_of(log, told), (), 5.5)
    assert reviewed.at_least is not None
    best = max(reviewed.keeps, key=lambda keep: keep.gain)
    return Seen(
        beyond=reviewed.at_least > 0,
        false_keep=any(truth[keep.number - 1] >= truth[against.number - 1] for keep, against in _claims(reviewed)),
        too_much=reviewed.at_least > max(0.0, truth[0] - truth[best.number - 1]),
        found=len(list(_claims(reviewed))) / world.steps if world.steps else 0.0,
    )


def _claims(reviewed: Review) -> Iterable[tuple[Keep, Keep]]:
    """Yields each keep that is called beyond luck, and what it is called better than."""
    standing = best = reviewed.keeps[0]
    for keep in reviewed.keeps[1:]:
        if keep.verdict is Verdict.BEYOND:
            yield keep, best
        elif keep.verdict is Verdict.TOGETHER:
            yield keep, standing
        if keep.verdict in (Verdict.BEYOND, Verdict.TOGETHER):
            standing = keep
        best = max(best, keep, key=lambda one: one.gain)


def main(count: int) -> int:
    """Prints the rates. Returns the exit code: 1 if one is too high."""
    wrong = 0
    print(f"{count} logs of each kind; at most {100 * LEVEL:g} % may be wrong\n")
    print("| logs | any gain beyond luck | a false keep | too much called true | keeps found per true step |")
    print("| --- | --- | --- | --- | --- |")
    for world in (*NULL, *MIXED, *UNPROMISED):
        told = [seen(seed, world) for seed in range(count)]
        rates = [sum(one.beyond for one in told), sum(one.false_keep for one in told), sum(one.too_much for one in told)]
        false = rates[1:] if world.steps else rates
        bad = world not in UNPROMISED and any(too_often(one, count) for one in false)
        wrong += bad
        found = f"{np.mean([one.found for one in told]):.2f}" if world.steps else ""
        cells = " | ".join(f"{100 * rate / count:.1f} %" for rate in rates)
        print(f"| {world.name}{' WRONG' if bad else ''} | {cells} | {found} |")
    return 1 if wrong else 0


def too_often(wrong: int, count: int) -> bool:
    """Says whether so many wrong ones are more than the level allows."""
    return bool(stats.binomtest(wrong, count, LEVEL, alternative="greater").pvalue < TEST)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else FULL))
