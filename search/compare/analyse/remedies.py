"""The exact commands that add what is missing: those that the studies were started with, changed where they must be."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from omegaconf import OmegaConf

from search.compare.read.tables import Experiment, StudyTable
from search.config.overrides import changed, key_of
from search.config.places import CONF
from search.study.noise_floor import CONTROL

# What makes a control comparable, with all keys below: beside the strategy it is a study like the others.
OF_A_CONTROL = {"task", "data", "start", "cache", "experiment", "tracking", "study.anchor_every"}


def confirm(experiment: Experiment, repeats: int, at: Iterable[int] = ()) -> str:
    """`at`: numbers of trials as of which winners are wanted too."""
    store = [word for word in experiment.studies[0].overrides if key_of(word) == "tracking.uri"]
    budgets = [f"at=[{_several(at)}]"] if at else []
    return _command("search.confirm", f"experiment={experiment.name}", f"repeats={repeats}", *budgets, *store)


def studies(experiment: Experiment, like: StudyTable, seeds: Iterable[int]) -> str:
    """More studies like that one, under other search seeds."""
    return _studies(experiment, like.name, like.overrides, {"seed": _several(seeds)})


def longer(experiment: Experiment, like: StudyTable, seeds: Iterable[int], trials: int) -> str:
    """The same studies with more trials."""
    return _studies(experiment, like.name, like.overrides, {"study.trials": str(trials), "seed": _several(seeds)})


def control(experiment: Experiment) -> str:
    """A control, where there is none."""
    keys = ((word, key_of(word)) for word in experiment.studies[0].overrides)
    kept = [word for word, key in keys if {key, key.partition(".")[0]} & OF_A_CONTROL]
    return _studies(experiment, _control_strategy(), kept, {"seed": "0"})


def _control_strategy() -> str:
    """The strategy whose YAML says that it is the control."""
    files = sorted((CONF / "strategy").glob("*.yaml"))
    return next(path.stem for path in files if OmegaConf.select(OmegaConf.load(path), "role") == CONTROL)


def _studies(experiment: Experiment, strategy: str, words: Sequence[str], values: dict[str, str]) -> str:
    """Those words with other values. What a study's name is made of is always among them: a default may change."""
    names = {"strategy": strategy, "task": experiment.task, "experiment": experiment.name}
    given = {key_of(word) for word in words}
    named = [f"{key}={value}" for key, value in names.items() if key not in given]
    several = ["-m"] if "," in values["seed"] else []
    return _command("search", *several, *changed([*named, *words], {"experiment": experiment.name, **values}))


def _several(seeds: Iterable[int]) -> str:
    return ",".join(str(seed) for seed in seeds)


def _command(module: str, *words: str) -> str:
    return shlex.join(["python", "-m", module, *words])
