"""The exact commands that add what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omegaconf import OmegaConf

from search.compare.read.tables import Experiment, StudyTable
from search.config.places import CONF
from search.console.arguments import usual
from search.study.identity import flat

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
    words = ["strategy=seeds", f"task={experiment.task}", f"experiment={experiment.name}", *_task(like.header["config"])]
    return _search(" ".join(words), [0], like)


def _search(settings: str, seeds: Iterable[int], like: StudyTable) -> str:
    wanted = ",".join(str(seed) for seed in seeds)
    return f"python -m search {'-m ' if ',' in wanted else ''}{settings} seed={wanted}{_store(like)}"


def _study(experiment: Experiment, like: StudyTable, trials: int | None = None) -> str:
    words = [f"strategy={like.name}", *_choices(like), f"task={experiment.task}", f"experiment={experiment.name}"]
    return " ".join([*words, *_budget(like.header["config"], trials), *_settings(like), *_task(like.header["config"])])


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
    usual = _yaml("strategy", like.name)
    ours = like.header["config"]["strategy"]
    names = [str(name) for name in usual if name not in NOT_SETTINGS and name in ours and ours[name] != usual[name]]
    return [f"strategy.{name}={_written(ours[name])}" for name in names]


def _task(config: dict[str, Any]) -> list[str]:
    """Settings of the task, the data and the study that differ from the YAML: without them the same command would be
    another task."""
    words = []
    for group in ("task", "data"):
        usual_node, ours = _yaml(group, config.get(group, {}).get("name")), config.get(group, {})
        known = flat({key: value for key, value in usual_node.items() if key in ours})
        now = flat({key: value for key, value in ours.items() if key in usual_node})
        words += [f"{group}.{key}={_written(now[key])}" for key in known if key in now and now[key] != known[key]]
    every = config["study"].get("anchor_every")
    return words if every == usual("study.anchor_every") else [*words, f"study.anchor_every={_written(every)}"]


def _yaml(group: str, name: str | None) -> dict[str, Any]:
    """A choice's own YAML; nothing for a third party's, found through Hydra's search path."""
    path = CONF / group / f"{name}.yaml"
    node = OmegaConf.to_container(OmegaConf.load(path), resolve=False) if path.is_file() else {}
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items() if key not in ("defaults", "name")}


def _store(like: StudyTable) -> str:
    """Where the study is published, unless that is the default."""
    uri = like.header["config"].get("tracking", {}).get("uri")
    return "" if uri in (None, usual("tracking.uri")) else f" tracking.uri={uri}"


def _written(value: Any) -> str:
    return "null" if value is None else str(value)
