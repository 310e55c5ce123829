"""The exact commands that add what is missing: those that the studies were started with, changed where they must be."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from omegaconf import OmegaConf

from search.compare.analyse.finding import Missing
from search.compare.read.tables import Experiment, StudyTable
from search.config.overrides import changed, key_of
from search.config.places import CONF
from search.study.noise_floor import CONTROL

# What makes a control comparable, with all keys below: beside the strategy it is a study like the others.
OF_A_CONTROL = {"task", "data", "start", "cache", "experiment", "tracking", "study.anchor_every"}


def confirm(experiment: Experiment, repeats: int, at: Iterable[int] = ()) -> str:
    """`at`: numbers of trials as of which winners are wanted too."""
    budgets = [f"at=[{_several(at)}]"] if at else []
    return _command("search.confirm", f"experiment={experiment.name}", f"repeats={repeats}", *budgets, *_store(experiment))


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


def with_llm(experiment: Experiment, like: StudyTable, seeds: Iterable[int]) -> str:
    """Studies like that one with an LLM, which a user must name."""
    return _studies(experiment, like.name, like.overrides, {"llm": "openai", "llm.model": "...", "seed": _several(seeds)})


def in_order(experiment: Experiment, missing: Iterable[Missing], repeats: int) -> tuple[str, ...]:
    """The commands that add all of it, in the order in which they are to be given: studies, one confirmation of all winners
    (with so many `repeats`, or more where more are missing), and the comparison. None where no command is missing."""
    commands = dict.fromkeys(one.command for one in missing if one.command is not None)
    if not commands:
        return ()
    confirming = [command for command in commands if command.startswith(_command("search.confirm"))]
    words = [word.partition("=") for command in confirming for word in shlex.split(command)]
    wanted = [int(value) for key, _, value in words if key == "repeats"]
    at = sorted({int(trials) for key, _, value in words if key == "at" for trials in value.strip("[]").split(",")})
    studies = (command for command in commands if command not in confirming)
    return (*studies, confirm(experiment, max(wanted, default=repeats), at), _compare(experiment))


def _compare(experiment: Experiment) -> str:
    return _command("search.compare", f"experiment={experiment.name}", *_store(experiment))


def _store(experiment: Experiment) -> list[str]:
    return [word for word in experiment.studies[0].overrides if key_of(word) == "tracking.uri"]


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
