"""The worlds in which the comparison is tried: without any effect, and with effects."""

from __future__ import annotations

from dataclasses import replace

from search.compare.truth.trainer import Noise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, Rival, World

FIELD = Noise()  # seeds of sd 0.0009, half of it common to all programs; 0.0005 of a run; a steady machine
AR = replace(FIELD, restless=0.01)
SHARED_CPU = replace(FIELD, restless=0.05)


def _noisy(rival: Rival, noise: float) -> Rival:
    return replace(rival, noise=noise)


WITHOUT_EFFECT: dict[str, World] = {
    "steady": World(noise=AR),
    "seed effects of each program's own": World(noise=replace(FIELD, common=0.0)),
    "seed effects common to all": World(noise=replace(FIELD, common=0.9)),
    "0.3 % an hour slower": World(noise=replace(AR, drift=0.003)),
    "1 % an hour slower": World(noise=replace(AR, drift=0.01)),
    "day and night 5 %": World(noise=replace(AR, day=0.05)),
    "shared CPU, speed 5 %": World(noise=SHARED_CPU),
    "shared CPU with a probe": World(noise=replace(SHARED_CPU, probed=True)),
    "agent 2.5 x, tuner 0.6 x the noise": World(
        (_noisy(AGENT, 2.5), _noisy(OPTUNA, 0.6), CONTROL), replace(FIELD, common=0.3, by_strategy=0.4)
    ),
    "the same with one study each": World(
        (_noisy(AGENT, 2.5), _noisy(OPTUNA, 0.6), CONTROL),
        replace(FIELD, common=0.3, by_strategy=0.4),
        plans=((1, 5),),
    ),
    "4 noisy studies against 10": World(
        (replace(AGENT, noise=2.5, studies=4), _noisy(OPTUNA, 0.6), CONTROL),
        replace(FIELD, common=0.3, by_strategy=0.4),
        plans=((10, 3),),
    ),
    "programs that heat a probed machine": World(
        (replace(AGENT, heat=0.03), OPTUNA, CONTROL), replace(SHARED_CPU, probed=True)
    ),
    "two baselines, winners of two budgets": World(
        (AGENT, OPTUNA, replace(OPTUNA, label="optuna-gp"), CONTROL), AR, at=(2, 4), plans=((4, 5),)
    ),
    "failures 16 %": World((replace(AGENT, fails=0.16), OPTUNA, CONTROL)),
    "failures 50 %": World((replace(AGENT, fails=0.5), replace(OPTUNA, fails=0.3), CONTROL)),
    "heavy tails": World(noise=replace(FIELD, tails="heavy")),
    "skewed": World(noise=replace(FIELD, tails="skewed")),
    "bursts": World(noise=replace(FIELD, tails="bursts")),
    "4 studies of 3 repeats": World(plans=((4, 3),)),
    "studies that differ": World((replace(AGENT, between=0.002), replace(OPTUNA, between=0.002), CONTROL)),
    "stop when shown, 4 planned looks": World(plans=((6, 5), (6, 10), (6, 15), (6, 20)), looks=4),
    "stop when shown, none planned": World(plans=((6, 5), (6, 6), (6, 7), (6, 8), (6, 9), (6, 10))),
    "studies added until shown": World(plans=((4, 5), (5, 5), (6, 5), (7, 5), (8, 5)), looks=5),
}

_FAR_BETTER = (replace(AGENT, tuning=0.002, code=0.003), replace(OPTUNA, tuning=0.003), CONTROL)
EASIER = "gains, and unseen text 8 % easier"
WITHOUT_EFFECT[EASIER] = World(_FAR_BETTER, replace(FIELD, unseen=0.92))  # without overfitting

_FAILING = ("programs: agent worse", "strategies: agent worse", "claim: agent worse")
NO_CLAIM_IS_FALSE = {  # what is true there: a program that fails is worse; of studies that differ, winners are better
    "failures 16 %": _FAILING,
    "failures 50 %": _FAILING,
    "studies that differ": ("programs", "gain", "tuning", "code"),
    EASIER: ("programs", "strategies", "claim", "gain", "tuning", "code"),
}

_AGENT = replace(AGENT, tuning=0.002, code=0.003, between=0.001, overfit=0.0005, within=0.0005)
_OPTUNA = replace(OPTUNA, tuning=0.003, between=0.001, within=0.0005)
_BOTH = (_AGENT, _OPTUNA, CONTROL)

WITH_EFFECTS: dict[str, World] = {
    "steady": World(_BOTH, AR),
    "seed effects common to all": World(_BOTH, replace(FIELD, common=0.9)),
    "1 % an hour slower": World(_BOTH, replace(AR, drift=0.01)),
    "day and night 5 %": World(_BOTH, replace(AR, day=0.05)),
    "shared CPU with a probe": World(_BOTH, replace(SHARED_CPU, probed=True)),
    "agent 2.5 x, tuner 0.6 x the noise": World(
        (_noisy(_AGENT, 2.5), _noisy(_OPTUNA, 0.6), CONTROL), replace(FIELD, common=0.3, by_strategy=0.4)
    ),
    "heavy tails": World(_BOTH, replace(FIELD, tails="heavy")),
    "skewed": World(_BOTH, replace(FIELD, tails="skewed")),
    "bursts": World(_BOTH, replace(FIELD, tails="bursts")),
    "unseen text 8 % easier": World(_BOTH, replace(FIELD, unseen=0.92)),
    "one study in six finds nothing": World((replace(_AGENT, unlucky=1 / 6), _OPTUNA, CONTROL)),
}
