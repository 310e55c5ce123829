"""Samplers of conf/sampler on the surrogate: `python -m tests.samplers [SAMPLER ...] [--seeds 20] [--trials 100]`.

`--settings sampler.failure=worst` changes the configuration of every sampler that runs.

`--regression smooth` or `steps` uses one half of the surrogate: whose place depends on it has not been shown to have it.
Prints a table in Markdown: the best program after 10, 30 and 100 trials, how the last of these differs from the first
sampler's on equal search seeds (standard error), the share of failures, and what an ask costs. The best is chosen by scores
with noise, as a study does, and shown without it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna

from baselines.optuna import OptunaSearch
from search.config.places import CONF
from search.config.schema import Config, build
from search.runner.stock import stock_of
from search.strategy import Candidate, Origin, Outcome, Status, TaskFacts, Trial, source
from tests.samplers.setting import configure
from tests.samplers.surrogate import REGRESSIONS, Surrogate

MOMENTS = (10, 30, 100)  # trials
HISTORY = (100, 1000)  # trials that are told before an ask is timed


def main(arguments: Sequence[str]) -> None:
    options = _parsed(arguments)
    seeds, trials, names = options.seeds, options.trials, options.samplers
    surrogate = Surrogate(configure(), options.regression)
    moments = [moment for moment in MOMENTS if moment <= trials]
    titles = [f"best at {moment}" for moment in moments] + [f"difference to {names[0]}", "failures"]
    titles += [f"ask at {told:,}" for told in HISTORY]
    print("\n".join(["| sampler | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]))
    first: np.ndarray | None = None
    for name in names:
        config = configure(f"sampler={name}", *options.settings)
        runs = [study(surrogate, config, seed, trials) for seed in range(seeds)]
        best = np.array([[best_at(run, moment) for moment in moments] for run in runs])
        failed = np.mean([[scored is None for scored in run] for run in runs])
        first = best if first is None else first
        cells = [f"{mean:.3f} +- {sd:.3f}" for mean, sd in zip(best.mean(axis=0), best.std(axis=0, ddof=1), strict=True)]
        cells.append(_difference(best[:, -1] - first[:, -1]))
        asks = [f"{seconds:.3g} s" for seconds in ask_seconds(config)]
        print(f"| {name} | " + " | ".join([*cells, f"{failed:.0%}", *asks]) + " |", flush=True)


def _difference(differences: np.ndarray) -> str:
    """Their mean and its standard error: of pairs of equal search seeds."""
    return f"{differences.mean():+.3f} +- {differences.std(ddof=1) / len(differences) ** 0.5:.3f}"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    samplers = sorted(path.stem for path in (CONF / "sampler").glob("*.yaml"))
    parser = argparse.ArgumentParser()
    parser.add_argument("samplers", nargs="*", default=samplers)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=max(MOMENTS))
    parser.add_argument("--settings", nargs="*", default=[], help="of every sampler, such as sampler.failure=worst")
    parser.add_argument("--regression", nargs=1, choices=REGRESSIONS, default=REGRESSIONS)
    return parser.parse_args(arguments)


def study(surrogate: Surrogate, config: Config, seed: int, trials: int) -> list[tuple[float, float] | None]:
    """Score and truth of each trial of a study; None for failures."""
    strategy, run = _strategy(config, seed), []
    history: list[Trial] = []
    for number in range(trials):
        candidate = strategy.ask(history, {}, None) if number else Candidate(strategy.stock)
        values = source.constants(candidate.source)
        run.append(surrogate.score({name: values[name] for name in surrogate.space}, seed))
        outcome = Outcome(Status.OUT_OF_MEMORY, reason="too large")
        if (scored := run[-1]) is not None:
            outcome = Outcome(Status.COMPLETED, scored[0])
        history.append(Trial(number, Origin.STRATEGY if number else Origin.STOCK, candidate, outcome))
        strategy.tell(history[-1])
    return run


def best_at(run: Sequence[tuple[float, float] | None], trials: int) -> float:
    """What the best score of the first trials is worth, without noise."""
    return min(scored for scored in run[:trials] if scored is not None)[1]


def ask_seconds(config: Config) -> list[float]:
    """CPU seconds of an ask after so many trials, drawn at random from the space."""
    seconds = []
    for told in HISTORY:
        strategy, draws = _strategy(config, 0), np.random.default_rng(0)
        drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(told):
            params = drawn.ask(strategy.distributions).params
            trial = optuna.trial.create_trial(params=params, distributions=strategy.distributions, value=draws.normal())
            strategy.study.add_trial(trial)
        strategy.study.ask(strategy.distributions)  # imports, and what is built once
        began = time.process_time()
        strategy.study.ask(strategy.distributions)
        seconds.append(time.process_time() - began)
    return seconds


def _strategy(config: Config, seed: int) -> OptunaSearch:
    task = config.task
    stock = "".join(f"{name} = {value!r}\n" for name, value in source.constants(stock_of(config).text).items())
    facts = TaskFacts(
        name=task.name,
        stock=stock,
        device=task.device,
        threads=task.threads,
        sequence_length=task.sequence_length,
        vocab_size=task.vocab_size,
        budget="a token budget",
        limits="none",
        folder=Path("nowhere"),
    )
    settings = {"_target_": config.strategy["_target_"], **config.strategy_settings}
    strategy = build(settings, task=facts, seed=seed)
    assert isinstance(strategy, OptunaSearch)
    return strategy


if __name__ == "__main__":
    main(sys.argv[1:])
