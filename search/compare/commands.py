"""The exact commands that add what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import OmegaConf

from search.arguments import usual
from search.compare.tables import Experiment, StudyTable
from search.paths import CONF

NOT_SETTINGS = ("_target_", "name", "variant", "trials", "llm", "sampler", "space", "defaults")


def confirm(experiment: Experiment, repeats: int) -> str:
    return f"python -m search.confirm experiment={experiment.name} repeats={repeats}{_store(experiment.studies[0])}"


def searches(experiment: Experiment, like: StudyTable, seeds: Iterable[int]) -> str:
    """More studies like that one, under other search seeds."""
    return _search(_study(experiment, like), seeds, like)


def longer(experiment: Experiment, like: StudyTable, seeds: Iterable[int], trials: int) -> str:
    """The same studies with more trials."""
    return _search(_study(experiment, like, trials), seeds, like)


def control(experiment: Experiment) -> str:
    """A control, where there is none."""
    like = experiment.studies[0]
    return f"python -m search strategy=seeds task={experiment.task} experiment={experiment.name} seed=0{_store(like)}"


def _search(settings: str, seeds: Iterable[int], like: StudyTable) -> str:
    wanted = ",".join(str(seed) for seed in seeds)
    return f"python -m search {'-m ' if ',' in wanted else ''}{settings} seed={wanted}{_store(like)}"


def _study(experiment: Experiment, like: StudyTable, trials: int | None = None) -> str:
    words = [f"strategy={like.name}", *_choices(like), f"task={experiment.task}", f"experiment={experiment.name}"]
    return " ".join([*words, *_budget(like.header["config"], trials), *_settings(like)])


def _choices(like: StudyTable) -> list[str]:
    """The model or the sampler, as they are chosen on the command line."""
    strategy = like.header["config"]["strategy"]
    variant = str(strategy.get("variant") or "")
    if "llm" in strategy:
        if (CONF / "llm" / f"{variant}.yaml").is_file():
            return [f"llm={variant}"]
        base = strategy["llm"].get("base_url")
        return [f"llm.model={variant}", *([f"llm.base_url={base}"] if base else [])]
    return [f"sampler={variant}"] if (CONF / "sampler" / f"{variant}.yaml").is_file() else []


def _budget(config: dict[str, Any], trials: int | None) -> list[str]:
    study = config["study"]
    wanted = trials or study["trials"]
    words = [] if wanted == config["strategy"].get("trials") else [f"study.trials={_written(wanted)}"]
    return words + [f"study.{name}={study[name]}" for name in ("train_hours", "usd") if study[name] is not None]


def _settings(like: StudyTable) -> list[str]:
    """The strategy's settings that differ from its YAML."""
    path = CONF / "strategy" / f"{like.name}.yaml"
    if not path.is_file():  # a third party's, found through Hydra's search path
        return []
    usual = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    ours = like.header["config"]["strategy"]
    assert isinstance(usual, dict)
    names = [str(name) for name in usual if name not in NOT_SETTINGS and name in ours and ours[name] != usual[name]]
    return [f"strategy.{name}={_written(ours[name])}" for name in names]


def _store(like: StudyTable) -> str:
    """Where the study is published, unless that is the default."""
    uri = like.header["config"].get("tracking", {}).get("uri")
    return "" if uri in (None, usual("tracking.uri")) else f" tracking.uri={uri}"


def _written(value: Any) -> str:
    return "null" if value is None else str(value)
