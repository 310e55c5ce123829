"""What a proposal of each strategy costs, on one history: calls, tokens, and seconds of processor time beside the LLM's.

    python -m tests.everyone.costs [--trials 20]      (a minute)

Each strategy is told the same outcomes in the same order, of a made-up history of the task `cpu`, as those of its own
proposals: a strategy knows no others. The LLM is `cast`: some of its replies have to be repaired. Tokens are characters by
four.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from search.config.places import CONF
from search.config.schema import StudyConfig, build
from search.config.validate import load
from search.runner.external.programs import ExternalPrograms
from search.runner.stock import stock_of
from search.strategy import Candidate, NoiseFloor, Origin, Outcome, Status, Strategy, Trial, Verdict, source
from search.study.reads import Past
from search.study.request import Observer, TrialRequest
from search.study.schedule import Entry
from search.testing.subject import task_config
from search.testing.synthetic import SyntheticRunner, run_study
from tests.agent.histories import NOISE, TRACEBACK, facts, outcome
from tests.everyone import studies
from tests.everyone.cast import Cast
from tests.servers.llm import serve

MORE = {"agent, tune=0.3": ["strategy=agent", "strategy.tune=0.3"]}
TOLD_BY_ITSELF = "coder"  # calls and tokens are its command's business, and the fake one's are made up


@dataclass
class Told(SyntheticRunner):
    """Trains nothing: the n-th trial has the n-th outcome, whatever was proposed. Every fifth broke."""

    draw: random.Random = field(default_factory=lambda: random.Random(0))

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        number = len(self.requests)
        self.requests.append(request)
        score, speed = 2.45 - 0.001 * number + self.draw.gauss(0, 0.01), self.draw.uniform(0.7, 1.1)
        if number % 5 != 2:
            return outcome(score if number else 2.45, speed)
        return Outcome(Status.CRASHED, reason=TRACEBACK.splitlines()[-1], seconds={"start": 0.5}, log_tail=TRACEBACK)


class Timed:
    """Seconds of processor time in which a strategy made each of its proposals, and heard of the trial before."""

    def __init__(self, strategy: Strategy) -> None:
        self.seconds: list[float] = []
        self._since = 0.0
        for name in ("ask", "tell"):
            setattr(strategy, name, self._timed(getattr(strategy, name), name))

    def _timed(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            began = time.thread_time()
            answer = method(*arguments)
            self._since += time.thread_time() - began
            if name == "ask":
                self.seconds.append(self._since)
                self._since = 0.0
            return answer

        return timed


def row(name: str, settings: list[str], trials: int) -> str:
    """Of the table, in Markdown: means of `trials` proposals, and the median of their seconds."""
    with tempfile.TemporaryDirectory() as folder, _made(settings, Path(folder), trials) as (strategy, stock):
        timed = Timed(strategy)
        floor: Callable[[], NoiseFloor] = lambda: NOISE  # noqa: E731
        _, told = run_study(Path(folder), strategy, Told(), stock, trials + 1, noise_floor=floor)
    costs = [trial.answer.cost for trial in told[1:] if trial.answer.cost is not None]
    seconds = f"{statistics.median(timed.seconds):.2f}"
    if name == TOLD_BY_ITSELF:
        return f"| {name} | {len(costs) / trials:.2f} | its own | its own | its own | {seconds} |"
    calls, read, written = (sum(getattr(cost, key) or 0 for cost in costs) for key in ("calls", "tokens_in", "tokens_out"))
    last = f"{costs[-1].tokens_in or 0:,.0f} in {costs[-1].calls}" if costs else "0"
    return f"| {name} | {calls / trials:.2f} | {read / trials:,.0f} | {written / trials:,.0f} | {last} | {seconds} |"


@contextmanager
def _made(settings: list[str], folder: Path, trials: int) -> Iterator[tuple[Strategy, str]]:
    """A strategy as its YAML has it, and the stock, with the LLM open."""
    stock = stock_of(task_config()).text
    with serve(kind=Cast) as server:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = load(compose("config", overrides=["task=cpu", "coder=fake", *studies.llm(server.url), *settings]))
        task = facts(StudyConfig(trials=trials + 1), stock, folder=folder / "attachments")
        task = replace(task, read=partial(_past, stock), programs=ExternalPrograms())
        node = {"_target_": config.strategy["_target_"], **config.strategy_settings}
        yield build(node, task=task, seed=0), stock


def _past(stock: str, name: str) -> Past:
    """A study that has found another weight decay."""
    candidate = Candidate(source.set_constants(stock, {"WEIGHT_DECAY": 0.3}))
    trial = Trial(7, Origin.STRATEGY, candidate, Outcome(Status.COMPLETED, val_bpb=1.0, audited=True))
    return Past(name, {}, [Entry(trial, 1, 0.0, 1.0, Verdict(True, "kept"))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    print("| strategy | calls | tokens read | tokens written | read for the last proposal | seconds |")
    print("|---|---|---|---|---|---|")
    for name, settings in {**{name: [f"strategy={name}"] for name in studies.names()}, **MORE}.items():
        print(row(name, settings, trials), flush=True)


if __name__ == "__main__":
    main()
