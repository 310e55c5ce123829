"""The typed keys of the commands that run no study of their own; the defaults are in each command's YAML in conf/."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from omegaconf import MISSING

from search.config.schema import TrackingConfig
from search.config.validate import require, require_name

Pair = tuple[str, str]  # labels of strategies
# A confirmation numbers its training runs by what they are; these are far beyond what anybody can pay for.
MOST_REPEATS = 10_000
MOST_STOCK_RUNS = 100
LONGER, DEEPER, WIDER, OTHER_TEXT, OTHER_SEEDS = "longer", "deeper", "wider", "other-text", "other-seeds"
SCALES = (LONGER, DEEPER, WIDER, OTHER_TEXT, OTHER_SEEDS)  # of a transfer


@dataclass
class CompareConfig:
    experiment: str = MISSING
    task: str | None = None
    out: str | None = None
    contrasts: str | None = None
    delta: float | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The requested contrasts: pairs of the strategy that may be better, and the one it is compared with."""
        parts = [] if self.contrasts is None else self.contrasts.split(",")
        sides = [tuple(side.strip() for side in part.partition(">")[::2]) for part in parts]
        return tuple((first, second) for first, second in sides)


@dataclass
class OtherTrackingConfig:
    """`uri`: None for the studies' own."""

    uri: str | None = None


@dataclass
class ConfirmConfig:
    experiment: str = MISSING
    task: str | None = None
    repeats: int | None = None
    stock_runs: int | None = None
    looks: int | None = None
    at: list[int] | None = None
    top: int | None = None
    ablate: bool | None = None
    cache: str | None = None
    sandbox: str | None = None
    accept_harness: str | None = None
    tracking: OtherTrackingConfig = field(default_factory=OtherTrackingConfig)


@dataclass
class TransferConfig:
    experiment: str = MISSING
    task: str | None = None
    scale: str = MISSING
    factor: float = 2.0
    data: str | None = None
    folder: str | None = None
    repeats: int | None = None
    stock_runs: int | None = None
    cache: str | None = None
    sandbox: str | None = None
    accept_harness: str | None = None
    tracking: OtherTrackingConfig = field(default_factory=OtherTrackingConfig)

    @property
    def confirmation(self) -> ConfirmConfig:
        """The same in the words of a confirmation, whose machinery a transfer is run by."""
        mine = {item.name for item in fields(self)}
        return ConfirmConfig(**{item.name: getattr(self, item.name) for item in fields(ConfirmConfig) if item.name in mine})


@dataclass
class ExportConfig:
    study: str = MISSING
    out: str | None = None


@dataclass
class VerifyConfig:
    archive: str = MISSING
    sample: int = MISSING
    noise: float | None = None
    folder: str | None = None
    cache: str = MISSING
    sandbox: str = MISSING


@dataclass
class PlanConfig:
    experiment: str | None = None
    task: str | None = None
    hours: float | None = None
    devices: int | None = None
    difference: float | None = None
    trials: int | None = None
    sd: float | None = None
    paired: float | None = None
    between: str | None = None
    minutes: float | None = None
    power: float | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    @property
    def both_between(self) -> tuple[float, float] | None:
        """Of either strategy, in bits per byte; NaN for what is not a number. None if nothing is given."""
        if self.between is None:
            return None
        first, comma, second = str(self.between).partition(",")
        return _number(first), _number(second if comma else first)


@dataclass
class ReviewNoiseConfig:
    sd: float | None = None
    runs: int | None = None
    published: str | None = None
    repeats: str = MISSING


@dataclass
class ReviewPlainConfig:
    command: str = MISSING
    prints: str | None = None
    python: str | None = None
    shown: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    threads: int | None = None
    seconds: float | None = None
    memory_gb: float = MISSING
    disk_gb: float = MISSING


@dataclass
class ReviewConfig:
    log: str | None = None
    metric: str | None = None
    direction: str | None = None
    order: str | None = None
    segment: int | None = None
    keep: str | None = None
    keep_words: str | None = None
    discard_words: str | None = None
    failed_words: str | None = None
    zeros: str | None = None
    noise: ReviewNoiseConfig = field(default_factory=ReviewNoiseConfig)
    minutes: float = MISSING
    repository: str | None = None
    program: str = MISSING
    runner: str | None = None
    keeps: str = MISSING
    repeats: int = MISSING
    sandbox: str = MISSING
    plain: ReviewPlainConfig = field(default_factory=ReviewPlainConfig)
    out: str | None = None
    experiment: str | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass
class DemoConfig:
    experiment: str = MISSING


@dataclass
class UiConfig:
    experiment: str = MISSING
    port: int | None = None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def check_compare(config: CompareConfig) -> None:
    """Raises UserError naming the key, the value and the remedy. Which names there are, the store says."""
    pairs = config.pairs
    each = all(first and second and first != second for first, second in pairs) and len(set(pairs)) == len(pairs)
    shape = "must be pairs such as 'agent-x>optuna-tpe,agent-y>optuna-tpe', each once, in quotes for the shell"
    require(each, "contrasts", config.contrasts, shape)
    delta = config.delta is None or 0 < config.delta < math.inf
    require(delta, "delta", config.delta, "must be a number above 0, in bits per byte")


def check_confirm(config: ConfirmConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require_name("experiment", config.experiment)
    for key in ("repeats", "stock_runs", "looks", "top"):
        value = getattr(config, key)
        require(value is None or value >= 1, key, value, "must be a whole number above 0")
    for key, value, most in (("repeats", config.repeats, MOST_REPEATS), ("stock_runs", config.stock_runs, MOST_STOCK_RUNS)):
        require(value is None or value <= most, key, value, f"must be {most} or less")
    require(all(budget >= 1 for budget in config.at or ()), "at", config.at, "must be whole numbers of trials above 0")


def check_transfer(config: TransferConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    check_confirm(config.confirmation)
    require(config.scale in SCALES, "scale", config.scale, f"choose {', '.join(SCALES)}")
    require(0 < config.factor < math.inf and config.factor != 1, "factor", config.factor, "must be above 0, and not 1")
    other = config.scale == OTHER_TEXT
    require(
        (config.data is not None) == other, "data", config.data or "null", f"name it for scale={OTHER_TEXT}, and only there"
    )
    require(other or config.folder is None, "folder", config.folder, f"is for scale={OTHER_TEXT} only")


def check_export(config: ExportConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    names = config.study.strip("/").split("/")
    require(len(names) == 4, "study", config.study, "must be EXPERIMENT/TASK/STRATEGY/SEED, as in mlruns/studies")
    for name in names:
        require(name not in ("", ".", ".."), "study", config.study, "must be the name of a study in mlruns/studies")


def check_verify(config: VerifyConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require(config.sample >= 0, "sample", config.sample, "must be a whole number of trials, 0 or more")
    require(config.noise is None or 0 < config.noise < math.inf, "noise", config.noise, "must be a number above 0")


def check_plan(config: PlanConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    for key in ("hours", "difference", "sd", "minutes"):
        value = getattr(config, key)
        require(value is None or 0 < value < math.inf, key, value, "must be a number above 0")
    for key in ("devices", "trials"):
        value = getattr(config, key)
        require(value is None or value >= 1, key, value, "must be a whole number above 0")
    each = all(0 <= value < math.inf for value in config.both_between or ())
    require(each, "between", config.between, "must be 0 or more, or two such numbers with a comma between them")
    for key in ("power", "paired"):
        value = getattr(config, key)
        require(value is None or 0 < value < 1, key, value, "must be above 0 and below 1")


def check_review(config: ReviewConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    noise, plain = config.noise, config.plain
    for key, value, choices in (
        ("direction", config.direction, ("lower", "higher")),
        ("order", config.order, ("file", "time")),
        ("keep", config.keep, ("records",)),
        ("zeros", config.zeros, ("failed", "scores")),
        ("noise.repeats", noise.repeats, ("same", "commit", "description", "said", "none")),
        ("runner", config.runner, ("plain",)),
        ("keeps", config.keeps, ("best", "beyond", "all")),
        ("sandbox", config.sandbox, ("bubblewrap", "none")),
        ("plain.device", plain.device, ("cpu", "cuda", "rocm")),
    ):
        require(value is None or value in choices, key, value, f"choose {', '.join(choices)}")
    require(config.runner is None or config.repository is not None, "runner", config.runner, "needs repository=")
    require(1 <= config.repeats <= MOST_REPEATS, "repeats", config.repeats, f"must be 1 to {MOST_REPEATS}")
    require(plain.threads is None or plain.threads >= 1, "plain.threads", plain.threads, "must be a whole number above 0")
    for key, number in (
        ("noise.sd", noise.sd),
        ("minutes", config.minutes),
        ("plain.seconds", plain.seconds),
        ("plain.memory_gb", plain.memory_gb),
        ("plain.disk_gb", plain.disk_gb),
    ):
        require(number is None or 0 < number < math.inf, key, number, "must be a number above 0")
    require(noise.runs is None or noise.runs >= 2, "noise.runs", noise.runs, "must be 2 or more")
    require(
        noise.runs is None or noise.sd is not None, "noise.runs", noise.runs, "says how noise.sd was measured: give both"
    )
    require(
        noise.published is None or noise.sd is None, "noise.published", noise.published, "give this or noise.sd, not both"
    )
    if config.experiment is not None:
        require_name("experiment", config.experiment)


def check_demo(config: DemoConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require_name("experiment", config.experiment)


def check_ui(config: UiConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    require(config.port is None or 0 < config.port < 65_536, "port", config.port, "must be 1 to 65535")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
