"""A strategy under test, and the studies it is tried in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir

from search.config.places import CONF
from search.config.schema import Config
from search.config.validate import load
from search.runner.stock import stock_of
from search.study import source
from search.study.budget import budget_in_words
from search.study.contract import Strategy, TaskFacts
from search.study.trial import Trial
from search.testing.synthetic import ONE, Several, SyntheticRunner, run_study

Make = Callable[[TaskFacts, int], Strategy]
TRIALS = 12  # more than any of Optuna's samplers draws at random before it learns


@cache
def task_config() -> Config:
    """The configuration of `task=cpu`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return load(compose("config", overrides=["task=cpu"]))


@cache
def constants_only() -> str:
    """The constants of the stock of `task=cpu`, and nothing else: a program that is quickly read."""
    constants = source.constants(stock_of(task_config()).text)
    return "".join(f"{name} = {value!r}\n" for name, value in constants.items())


@dataclass(frozen=True)
class Subject:
    """`make`: builds the strategy from the task and the search seed; a function that another process can import.
    `stock`: the program its studies start from; a strategy that edits code needs one that has some."""

    make: Make
    stock: str = field(default_factory=constants_only, repr=False)

    def study(
        self,
        folder: Path,
        seed: int = 0,
        runner: SyntheticRunner | None = None,
        trials: int = TRIALS,
        anchor_every: int | None = None,
        several: Several = ONE,
    ) -> list[Trial]:
        """The trials of a study in `folder`, by number, run from where it stands to its end."""
        strategy = self.make(self.task(folder / "strategy"), seed)
        runner = runner or SyntheticRunner()
        return run_study(folder, strategy, runner, self.stock, trials, seed, anchor_every, several)[1]

    def task(self, folder: Path) -> TaskFacts:
        """What the strategy is told. `folder`: where it may write."""
        task = task_config().task
        return TaskFacts(
            name=task.name,
            stock=self.stock,
            device=task.device,
            threads=task.threads,
            sequence_length=task.sequence_length,
            vocab_size=task.vocab_size,
            budget=budget_in_words(task.budget),
            limits="none",
            folder=folder,
        )
