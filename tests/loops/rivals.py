"""What each rival finds on a task whose truth is known, and what its proposals cost.

python -m tests.loops.rivals [--seeds 10] [--trials 30]      (minutes)
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.optuna import OptunaSearch
from baselines.retune import Retune
from search.agent.agent import Agent
from search.agent.tree import Tree
from search.config.schema import DimensionConfig
from search.strategy import NoiseFloor, Strategy, TaskFacts
from search.study import source
from search.study.journal import Journal
from search.study.reads import Past
from search.study.winner import winner_of
from search.testing.synthetic import Several, run_study
from tests.loops.__main__ import SETTINGS, facts
from tests.loops.world import CONSTANTS, NOISE, STOCK, Runner, World

FLOOR = NoiseFloor(mean=1.0, sd=NOISE, trials=8)
TUNER = {
    "_target_": "baselines.optuna.OptunaSearch",
    "sampler": {"_target_": "optuna.samplers.TPESampler", "constant_liar": True},
    "failure": "constraint",
}
VALUES = source.constants(STOCK)
SPACE = {  # a factor of four either way, which holds the best values
    name: DimensionConfig("power_of_two", low=VALUES[name] // 4, high=VALUES[name] * 4)
    if isinstance(VALUES[name], int)
    else DimensionConfig("float", low=VALUES[name] / 4, high=VALUES[name] * 4, log=True)
    for name in CONSTANTS
}
MEANS = ("gain", "tuning", "calls", "tokens", "seconds")
Make = Callable[[TaskFacts, int], Strategy]


def player(seed: int) -> dict[str, Any]:
    return {"_target_": "tests.loops.player.Player", "seed": seed, "price": {"input": 0.0, "output": 0.0, "cached": 0.0}}


def agent(task: TaskFacts, seed: int, **more: Any) -> Strategy:
    return Agent(task=task, seed=seed, llm=player(seed), space=SPACE, tuning=TUNER, **{**SETTINGS, **more})


def tree(task: TaskFacts, seed: int) -> Strategy:
    return Tree(task, seed, player(seed), "program.md", repairs=2, drafts=3, merge=0.2, margin=1.0)


RIVALS: dict[str, tuple[Make, Several]] = {
    "optuna": (lambda task, seed: OptunaSearch(task, seed, SPACE, TUNER["sampler"], "constraint"), Several()),
    "agent": (agent, Several()),
    "agent, tune=0.3": (lambda task, seed: agent(task, seed, tune=0.3), Several()),
    "tree": (tree, Several()),
    "agent, 4 at once": (agent, Several(parallel=4)),
    "tree, 4 at once": (tree, Several(parallel=4)),
    "retune of the agent's winner": (lambda task, seed: Retune(task, seed, "agent", SPACE, TUNER), Several()),
}


@dataclass(frozen=True)
class Found:
    """By truth, bits per byte: the winner's gain, and what its constants gain in the stock's code. Per proposal: calls,
    tokens read, and seconds of this machine without the LLM's."""

    gain: float
    tuning: float
    calls: float
    tokens: float
    seconds: float


def play(make: Make, several: Several, seed: int, trials: int, past: Past | None) -> tuple[Found, Past]:
    """One study. `past`: what it may read."""
    world = World(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, read = Path(name), {} if past is None else {"read": lambda name: past}
        strategy, began = make(facts(folder / "attachments", trials, **read), seed), time.process_time()
        _, told = run_study(folder, strategy, Runner(world=world), STOCK, trials, seed, None, several, lambda: FLOOR)
        seconds = time.process_time() - began
        with Journal(folder, lambda text: None) as journal:
            entries = journal.entries
    winner = winner_of(entries).trial.candidate.source
    values = {name: source.constants(winner)[name] for name in CONSTANTS}
    truth, costs = world.truth(STOCK), [trial.answer.cost for trial in told if trial.answer.cost is not None]
    found = Found(
        gain=truth - world.truth(winner),
        tuning=truth - world.truth(source.set_constants(STOCK, values)),
        calls=sum(cost.calls for cost in costs) / (len(told) - 1),
        tokens=sum(cost.tokens_in or 0 for cost in costs) / (len(told) - 1),
        seconds=seconds / (len(told) - 1),
    )
    return found, Past("simulated/cpu/agent/0", {}, entries)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args()
    found: dict[str, list[Found]] = {name: [] for name in RIVALS}
    for seed in range(options.seeds):
        past = None
        for name, (make, several) in RIVALS.items():
            one, study = play(make, several, seed, options.trials, past)
            past = study if name == "agent" else past
            found[name].append(one)
    print("| strategy | gain | of it tuning | code and interaction | calls | tokens read | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, all_of in found.items():
        gains = [one.gain for one in all_of]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        gain, tuning, calls, tokens, seconds = (statistics.fmean(getattr(one, key) for one in all_of) for key in MEANS)
        parts = f"{tuning:.3f} | {gain - tuning:.3f} | {calls:.2f} | {tokens:,.0f} | {seconds:.3f}"
        print(f"| {name} | {gain:.3f} +- {error:.3f} | {parts} |")


if __name__ == "__main__":
    main()
