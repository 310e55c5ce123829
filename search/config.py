"""The one typed schema. What Hydra composed becomes these values, or ends in a UserError before anything is spent."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from search.errors import UserError
from search.paths import resolve
from search.task.loader import PACKINGS

NAME = re.compile(r"[\w.-]+")  # what may become a folder


@dataclass
class BudgetConfig:
    """What one training may spend. `seconds` of wall clock, or `tokens`; `cap_seconds` limits the latter."""

    seconds: float | None = None
    tokens: int | None = None
    cap_seconds: float | None = None


@dataclass
class TaskConfig:
    name: str = MISSING
    device: str = MISSING  # cpu, cuda or mps
    threads: int = MISSING  # cores that a trial is pinned to, where the device is the CPU
    sequence_length: int = MISSING
    vocab_size: int = MISSING
    packing: str = MISSING
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    startup_seconds: float = MISSING
    scoring_rows: int = MISSING
    scoring_batch: int = MISSING  # rows scored at once
    scoring_seconds: float = MISSING
    weights_gb: float = MISSING
    source_kb: float = MISSING
    audit_share: float = MISSING  # of the trials that cannot win: how many are challenged anyway
    audit_gain_positions: int = MISSING  # per challenge, drawn by what the claim gains there
    audit_uniform_positions: int = MISSING  # per challenge, drawn anywhere else
    audit_token_tolerance: float = MISSING  # nats
    audit_mean_tolerance: float = MISSING  # nats
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass
class DataConfig:
    name: str = MISSING
    corpus: dict[str, Any] = MISSING


@dataclass
class DimensionConfig:
    """A constant of train.py that tuning may set. `kind`: int, float, power_of_two or choice."""

    kind: str = MISSING
    low: float | None = None
    high: float | None = None
    log: bool = False
    values: list[Any] | None = None


@dataclass
class SamplerConfig:
    name: str = MISSING
    build: dict[str, Any] = MISSING


@dataclass
class StudyConfig:
    """A study ends with whichever of `trials`, `train_hours` and `usd` is set and used up first."""

    trials: int | None = None
    train_hours: float | None = None
    usd: float | None = None
    anchor_every: int | None = None  # trials between two runs of the stock


@dataclass
class TrackingConfig:
    uri: str = MISSING


@dataclass
class Config:
    experiment: str = MISSING
    seed: int = MISSING
    start: str = MISSING
    cache: str = MISSING
    strategy: dict[str, Any] = MISSING
    task: TaskConfig = field(default_factory=TaskConfig)
    data: DataConfig = field(default_factory=DataConfig)
    space: dict[str, DimensionConfig] = MISSING
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    @property
    def cache_folder(self) -> Path:
        return resolve(self.cache)

    @property
    def start_file(self) -> Path:
        return resolve(self.start)

    @property
    def strategy_name(self) -> str:
        """The strategy with its variant (its sampler or model), as folders and MLflow name it."""
        variant = self.strategy.get("variant")
        return f"{self.strategy['name']}-{variant}" if variant else str(self.strategy["name"])

    @property
    def strategy_settings(self) -> dict[str, Any]:
        """What the strategy's factory is given beside task, seed and noise floor."""
        return {key: value for key, value in self.strategy.items() if key not in STRATEGY_KEYS}


STRATEGY_KEYS = ("_target_", "name", "variant", "trials")
FACTORY_ARGUMENTS = ("task", "seed", "noise_floor")


def load(composed: DictConfig) -> Config:
    """Type and check a composed configuration. Raises UserError naming the key, the value and the remedy."""
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Config), composed)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise UserError(describe(error)) from error
    assert isinstance(config, Config)
    _check_names(config)
    _check_task(config.task)
    _check_study(config.study)
    _check_space(config.space)
    _check_factory("strategy", config.strategy, config.strategy_settings, FACTORY_ARGUMENTS)
    _check_factory("data.corpus", config.data.corpus, _without_target(config.data.corpus), ())
    return config


def build(node: dict[str, Any], **arguments: Any) -> Any:
    """Call a `_target_` with its settings; nested nodes stay data (their owner decides when they become objects)."""
    return pkgutil.resolve_name(node["_target_"])(**_without_target(node), **arguments)


def describe(error: OmegaConfBaseException) -> str:
    """An OmegaConf error in one line, with the key it is about."""
    message = str(error.msg if error.msg else error).splitlines()[0]
    key = error.full_key
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: is not set; give it on the command line, as {key}=..."
    return f"{key}: {message}" if key and key not in message else message


def _without_target(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "_target_"}


def _require(condition: bool, key: str, value: Any, remedy: str) -> None:
    if not condition:
        raise UserError(f"{key}={value}: {remedy}")


def _check_names(config: Config) -> None:
    for key, value in (
        ("experiment", config.experiment),
        ("task.name", config.task.name),
        ("data.name", config.data.name),
    ):
        _require(NAME.fullmatch(value) is not None, key, value, "use letters, digits, '.', '_' and '-' only")
    _require(
        "name" in config.strategy and "_target_" in config.strategy, "strategy", "?", "its YAML needs name and _target_"
    )
    name = config.strategy_name
    _require(NAME.fullmatch(name) is not None, "strategy", name, "use letters, digits, '.', '_' and '-' only")
    _require(config.seed >= 0, "seed", config.seed, "must be 0 or more")
    _require(config.start_file.is_file(), "start", config.start, "no such file; name a train.py")


def _check_task(task: TaskConfig) -> None:
    budget = task.budget
    _require(task.device in ("cpu", "cuda", "mps"), "task.device", task.device, "choose cpu, cuda or mps")
    _require(task.threads > 0, "task.threads", task.threads, "must be at least 1")
    _require(task.packing in PACKINGS, "task.packing", task.packing, f"choose {' or '.join(PACKINGS)}")
    _require(
        256 < task.vocab_size <= 65_536, "task.vocab_size", task.vocab_size, "must be 257 to 65536 (tokens are 16 bits)"
    )
    _require(task.sequence_length > 1, "task.sequence_length", task.sequence_length, "must be at least 2")
    one = (budget.seconds is None) != (budget.tokens is None)
    both = f"{budget.seconds}, task.budget.tokens={budget.tokens}"
    _require(one, "task.budget.seconds", both, "set one of them and null the other")
    if budget.seconds is None:
        cap = budget.cap_seconds
        _require(cap is not None and cap > 0, "task.budget.cap_seconds", cap, "a budget of tokens needs a cap above 0")
    for key in ("startup_seconds", "scoring_seconds", "weights_gb", "source_kb", "scoring_rows", "scoring_batch"):
        _require(getattr(task, key) > 0, f"task.{key}", getattr(task, key), "must be above 0")
    for key, value in (("seconds", budget.seconds), ("tokens", budget.tokens)):
        _require(value is None or value > 0, f"task.budget.{key}", value, "must be above 0")
    whole = task.scoring_rows % task.scoring_batch == 0
    _require(whole, "task.scoring_rows", task.scoring_rows, f"must be a multiple of task.scoring_batch={task.scoring_batch}")
    positions = task.audit_gain_positions + task.audit_uniform_positions
    fits = 0 < positions <= task.scoring_rows
    _require(fits, "task.audit_*_positions", positions, f"together 1 to {task.scoring_rows}, one per scored row")
    _require(0 <= task.audit_share <= 1, "task.audit_share", task.audit_share, "must be 0 to 1")


def _check_study(study: StudyConfig) -> None:
    limits = {"trials": study.trials, "train_hours": study.train_hours, "usd": study.usd}
    _require(any(value is not None for value in limits.values()), "study.trials", None, "set trials, train_hours or usd")
    for key, value in limits.items():
        _require(value is None or value > 0, f"study.{key}", value, "must be above 0, or null for no limit")
    every = study.anchor_every
    _require(every is None or every > 0, "study.anchor_every", every, "must be above 0, or null for no anchors")


def _check_space(space: dict[str, DimensionConfig]) -> None:
    for name, dimension in space.items():
        key = f"space.{name}"
        kinds = ("int", "float", "power_of_two", "choice")
        _require(dimension.kind in kinds, f"{key}.kind", dimension.kind, f"choose {', '.join(kinds)}")
        if dimension.kind == "choice":
            _require(bool(dimension.values), f"{key}.values", dimension.values, "list at least one value")
            continue
        low, high = dimension.low, dimension.high
        if low is None or high is None or low >= high:
            raise UserError(f"{key}.low={low}, {key}.high={high}: set both, low below high")
        _require(not dimension.log or low > 0, f"{key}.low", low, "must be above 0 on a logarithmic scale")
        if dimension.kind == "power_of_two":
            powers = all(value == int(value) and int(value).bit_count() == 1 for value in (low, high))
            _require(powers, f"{key}.low, high", f"{low}, {high}", "must be powers of two")


def _check_factory(key: str, node: dict[str, Any], settings: dict[str, Any], given: Sequence[str]) -> None:
    """The settings in the YAML and on the command line must be what the class takes: a misspelt one ends here."""
    target = node.get("_target_")
    try:
        parameters = inspect.signature(pkgutil.resolve_name(str(target))).parameters
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{key}._target_={target}: cannot be imported ({error}); name a class as module.Class") from error
    for name in settings:
        wanted = [parameter for parameter in parameters if parameter not in given]
        _require(
            name in wanted,
            f"{key}.{name}",
            settings[name],
            f"no such setting; there are: {', '.join(wanted) or 'none'}",
        )
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in given and name not in settings:
            raise UserError(f"{key}.{name}: is missing; set it in the YAML file or on the command line")
