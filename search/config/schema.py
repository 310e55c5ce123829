"""The typed schema of what Hydra composes (`search.config.validate` refuses values that make no sense)."""

from __future__ import annotations

import os
import pkgutil
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

from search.config.keys import in_words, known_keys, unknown_key
from search.config.messages import UserError
from search.config.models import listed_price, model_name, role_names
from search.config.places import ROOT, resolve

T = TypeVar("T")


def _with(word: str, value: object) -> str:
    """Of a study's variant: `-tune-0.3`, nothing for 0 or null; of a study's name, the strategy."""
    return f"-{word}-{str(value).split('/')[-2 if '/' in str(value) else 0]}" if value else ""


# For Hydra's own folders: `${root:}` is the repository's root, wherever the command is called.
OmegaConf.register_new_resolver("root", lambda: str(ROOT), replace=True)
# `${variable:NAME,DEFAULT}`: of the environment, where an empty one counts as none.
OmegaConf.register_new_resolver("variable", lambda name, default: os.environ.get(name) or default, replace=True)
# For conf/llm: `${model:MODEL,REQUEST}`, its name, and `${price:input,MODEL,ADDRESS}`, its price where prices.yaml lists it.
OmegaConf.register_new_resolver("model", model_name, replace=True)
OmegaConf.register_new_resolver("roles", role_names, replace=True)
OmegaConf.register_new_resolver("price", listed_price, replace=True)
# For conf/strategy: `${with:tune,VALUE}`, the part of a variant that names a setting.
OmegaConf.register_new_resolver("with", _with, replace=True)


GB = 2**30  # bytes: what every key that ends in _gb counts, and every message that says GB


@dataclass
class BudgetConfig:
    """What one training run may spend. `seconds` of wall clock, or `tokens`; `cap_seconds` limits the latter."""

    seconds: float | None = None
    tokens: int | None = None
    cap_seconds: float | None = None


@dataclass
class AllowanceConfig:
    """What a program may spend on something: `factor` times what the stock of the same study did, plus `seconds`."""

    factor: float = MISSING
    seconds: float = MISSING

    def most(self, stock: float | None) -> float | None:
        """Seconds that a program may spend, given those of the stock; None if the stock has not run."""
        return None if stock is None else self.factor * stock + self.seconds


@dataclass
class AllowancesConfig:
    """Allowances for what no budget counts, in seconds of processor time on a CPU and of wall clock elsewhere.
    `startup`: everything before the clock starts. `ready`: what a scoring process does before it gets the rows.
    `answers`: the scoring itself."""

    startup: AllowanceConfig = field(default_factory=AllowanceConfig)
    ready: AllowanceConfig = field(default_factory=AllowanceConfig)
    answers: AllowanceConfig = field(default_factory=AllowanceConfig)


@dataclass
class TaskConfig:
    name: str = MISSING
    device: str = MISSING  # cpu, cuda (NVIDIA), rocm (AMD) or mps (Apple)
    threads: int = MISSING  # cores that a trial is pinned to, where the device is the CPU
    sequence_length: int = MISSING
    vocab_size: int = MISSING
    packing: str = MISSING
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    startup_seconds: float = MISSING
    allowances: AllowancesConfig = field(default_factory=AllowancesConfig)
    scoring_rows: int = MISSING
    scoring_batch: int = MISSING  # rows scored at once
    scoring_seconds: float = MISSING
    memory_gb: float = MISSING  # of the machine's memory, for all processes of a trial together
    vram_gb: float | None = None  # of the GPU's memory that a candidate may use; null for all
    row_gb: float | None = None  # of the GPU's memory, per row of DEVICE_BATCH_SIZE, which is fitted to it; null: it is not
    disk_gb: float = MISSING  # that a trial may write
    most_processes: float = MISSING  # and threads, of a trial together
    weights_gb: float = MISSING
    weights_factor: float = MISSING  # of the size of the stock's weights in the same study
    source_kb: float = MISSING
    plausible_bpb: float = MISSING  # a score below it is flagged, and nothing else
    audit_share: float = MISSING  # of the trials that cannot win: how many are challenged anyway
    audit_gain_positions: int = MISSING  # per challenge, drawn by what the claim gains there
    audit_uniform_positions: int = MISSING  # per challenge, drawn anywhere else
    audit_token_tolerance: float = MISSING  # nats
    audit_mean_tolerance: float = MISSING  # nats
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass
class DataConfig:
    name: str = MISSING
    about: str = ""  # what the text is, for whoever reads a prompt; a line
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
    failure: str = MISSING
    build: dict[str, Any] = MISSING


@dataclass
class CoderConfig:
    """The command line of a coding agent. `command`: its words, none of them null; `{usd}` stands for strategy.usd.
    `hosts`: the only hosts it may reach. `installation`: folders that it may read besides the system's. `price`: as of
    an llm."""

    name: str = MISSING
    about: str | None = None
    model: str | None = None
    command: list[Any] = MISSING
    hosts: list[str] = MISSING
    api_key_env: str | None = None
    environment: dict[str, str] = MISSING
    installation: list[str] = MISSING
    price: Any = MISSING


@dataclass
class StudyConfig:
    """A study ends when the first of `trials`, `train_hours` and `usd` that is set is used up."""

    trials: int | None = None
    train_hours: float | None = None
    usd: float | None = None
    anchor_every: int | None = None  # trials between two runs of the stock
    parallel: int = 1  # trials at once
    ahead: int = 0  # proposals asked for while as many trials run as may
    prune: float | None = None  # nats per token above the stock's and the best's loss at which a trial is ended


@dataclass
class TrackingConfig:
    uri: str = MISSING


@dataclass
class Config:
    experiment: str = MISSING
    seed: int = MISSING
    start: str = MISSING
    cache: str = MISSING
    sandbox: str = MISSING  # auto, bubblewrap, landlock or none
    accept_harness: str | None = None
    strategy: dict[str, Any] = MISSING
    task: TaskConfig = field(default_factory=TaskConfig)
    data: DataConfig = field(default_factory=DataConfig)
    space: dict[str, DimensionConfig] = MISSING
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    llm: dict[str, Any] = MISSING
    coder: CoderConfig = field(default_factory=CoderConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    executor: dict[str, Any] = MISSING
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
        name = f"{self.strategy['name']}-{variant}" if variant else str(self.strategy["name"])
        return re.sub(r"[^\w.-]+", "-", name)  # models are called a/b

    @property
    def strategy_settings(self) -> dict[str, Any]:
        """What the strategy's factory is given besides task and seed."""
        return settings_of(self.strategy, STRATEGY_KEYS)


ROLES = ("control", "baseline", "agent")  # of a strategy: what it is in a comparison
STRATEGY_KEYS = ("_target_", "name", "role", "variant", "trials")  # of a strategy's YAML: what its factory is not given
LLM_ROLES = ("plan", "edit")  # whose LLM may be another than the chosen one, in a strategy that has them
LLM_KEYS = ("_target_", "name", "about", "price")  # of an llm's YAML: what its client is not given


def typed(composed: DictConfig, schema: type[T]) -> T:
    """Give a composed configuration the types of its schema. Raises UserError naming the key, the value and the remedy."""
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), composed)
        config = OmegaConf.to_object(merged)
    except ConfigKeyError as error:
        raise UserError(unknown_key(str(error.full_key), known_keys(schema))) from error
    except ValidationError as error:
        raise UserError(_wrong_type(error, composed, schema)) from error
    except OmegaConfBaseException as error:
        raise UserError(describe(error)) from error
    assert isinstance(config, schema)
    return config


def _wrong_type(error: ValidationError, composed: DictConfig, schema: type) -> str:
    hints = known_keys(schema)
    nodes = (key for key, hint in hints.items() if is_dataclass(hint))
    key = error.full_key or next((key for key in nodes if not OmegaConf.is_dict(OmegaConf.select(composed, key))), None)
    if key not in hints:  # inside of a value that is a whole tree
        return describe(error)
    value = OmegaConf.select(composed, key)
    return f"{key}={'null' if value is None else value}: must be {in_words(hints[key])}"


def restored(record: dict[str, Any]) -> Config:
    """The configuration that a journal's first line holds. It lacks what only a strategy's settings use, and where the
    trials run. Raises UserError if this version's schema differs."""
    sampler: dict[str, Any] = {"name": "unused", "failure": "ignore", "build": {}}
    coder: dict[str, Any] = {
        "name": "unused",
        "command": [],
        "hosts": [],
        "environment": {},
        "installation": [],
        "price": None,
    }
    unused = {"space": {}, "sampler": sampler, "llm": {}, "coder": coder, "executor": {}}
    return typed(OmegaConf.create({**unused, **record}), Config)


def build(node: dict[str, Any], **arguments: Any) -> Any:
    """Call a `_target_` with its settings; nested nodes stay data (their owner decides when they become objects)."""
    return pkgutil.resolve_name(node["_target_"])(**settings_of(node), **arguments)


def describe(error: OmegaConfBaseException) -> str:
    """An OmegaConf error in one line, with the key it is about."""
    message = str(error.msg if error.msg else error).splitlines()[0]
    key = error.full_key
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: is not set; give it on the command line as {key}=..."
    return f"{key}: {message}" if key and key not in message else message


def llms_of(strategy: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The LLMs that a strategy asks, by their key: the chosen one, unless each of its roles has one of its own."""
    roles = {f"strategy.llms.{role}": node for role, node in strategy.get("llms", {}).items()}
    chosen = {"llm": strategy["llm"]} if "llm" in strategy and len(roles) < len(LLM_ROLES) else {}
    return {**chosen, **roles}


def settings_of(node: dict[str, Any], reserved: Sequence[str] = ("_target_",)) -> dict[str, Any]:
    """A node's own settings, without the keys that say what it is."""
    return {key: value for key, value in node.items() if key not in reserved}
