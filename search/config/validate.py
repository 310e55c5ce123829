"""Refuses impossible values and combinations, which types cannot express, before anything is spent."""

from __future__ import annotations

import inspect
import math
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import asdict
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig

from search.config.keys import in_words
from search.config.messages import UserError
from search.config.models import PRICES as PRICE_LIST
from search.config.models import REPORTED
from search.config.schema import (
    LLM_KEYS,
    LLM_ROLES,
    ROLES,
    CoderConfig,
    Config,
    DimensionConfig,
    StudyConfig,
    TaskConfig,
    llms_of,
    settings_of,
    typed,
)

NAME = re.compile(r"\w[\w.-]*")  # what may become a folder
PLAIN_TYPES: dict[str, Any] = {  # as they are written in annotations
    **{kind.__name__: kind for kind in (int, float, str, bool)},
    **{f"{kind.__name__} | None": kind | None for kind in (int, float, str, bool)},
}
PRICES = ("input", "cached", "output")
HOST = re.compile(r"[\w.-]+(:\d{1,5})?")
FACTORY_ARGUMENTS = ("task", "seed")  # what the harness gives every strategy
POSITIVE = (  # of a task
    *("startup_seconds", "scoring_seconds", "scoring_rows", "scoring_batch"),
    *("memory_gb", "disk_gb", "most_processes", "weights_gb", "weights_factor", "source_kb"),
)


def load(composed: DictConfig) -> Config:
    """Type and check a composed configuration. Raises UserError naming the key, the value and the remedy."""
    config = typed(composed, Config)
    check_values(config)
    return config


def check_values(config: Config) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    values = asdict(config)
    copies = values.pop("strategy")  # of the groups' values, too, which are to be named by their own keys
    _check_numbers(values)
    _check_numbers(copies, "strategy")
    _check_names(config)
    _check_task(config.task)
    _check_study(config.study)
    _check_space(config.space)
    _check_llms(config)
    _check_coder(config.coder)
    _check_factory("strategy", config.strategy, config.strategy_settings, FACTORY_ARGUMENTS)
    _check_factory("executor", config.executor, settings_of(config.executor), ())
    _check_factory("data.corpus", config.data.corpus, settings_of(config.data.corpus), ())
    _check_factory("sampler.build", config.sampler.build, settings_of(config.sampler.build), ("seed",))


def require(condition: bool, key: str, value: Any, remedy: str) -> None:
    """Raises UserError unless the condition holds."""
    if not condition:
        raise UserError(f"{key}={value}: {remedy}")


def _check_numbers(value: Any, key: str = "") -> None:
    """A journal is JSON, which has no NaN and no infinity."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check_numbers(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for part in value:
            _check_numbers(part, key)
    elif isinstance(value, float):
        require(math.isfinite(value), key, value, "must be a finite number")


def _check_names(config: Config) -> None:
    for key, value in (("experiment", config.experiment), ("task.name", config.task.name), ("data.name", config.data.name)):
        require_name(key, value)
    named = {"_target_", "name", "role"} <= config.strategy.keys()
    require(named, "strategy", "?", "its YAML needs _target_, name and role")
    require(config.strategy["role"] in ROLES, "strategy.role", config.strategy["role"], f"choose {', '.join(ROLES)}")
    require(config.cache != "", "cache", "", "name a folder")
    require(config.seed >= 0, "seed", config.seed, "must be 0 or more")
    require(config.start_file.is_file(), "start", config.start, "no such file; name a train.py")


def require_name(key: str, value: str) -> None:
    """Raises UserError unless the value may become a folder."""
    require(NAME.fullmatch(value) is not None, key, value, "use letters, digits, '.', '_' and '-' only")


def _check_task(task: TaskConfig) -> None:
    budget = task.budget
    require(task.threads > 0, "task.threads", task.threads, "must be at least 1")
    require(256 < task.vocab_size <= 65_536, "task.vocab_size", task.vocab_size, "must be 257 to 65536 (tokens are 16 bits)")
    require(task.sequence_length > 1, "task.sequence_length", task.sequence_length, "must be at least 2")
    one = (budget.seconds is None) != (budget.tokens is None)
    both = f"{budget.seconds}, task.budget.tokens={budget.tokens}"
    require(one, "task.budget.seconds", both, "set one of them and null the other")
    if budget.seconds is None:
        cap = budget.cap_seconds
        require(cap is not None and cap > 0, "task.budget.cap_seconds", cap, "a budget of tokens needs a cap above 0")
    for key in POSITIVE:
        require(getattr(task, key) > 0, f"task.{key}", getattr(task, key), "must be above 0")
    require(
        task.row_gb is None or task.row_gb > 0,
        "task.row_gb",
        task.row_gb,
        "must be above 0, or null to keep DEVICE_BATCH_SIZE as it is",
    )
    for key, value in (("seconds", budget.seconds), ("tokens", budget.tokens)):
        require(value is None or value > 0, f"task.budget.{key}", value, "must be above 0")
    whole = task.scoring_rows % task.scoring_batch == 0
    require(whole, "task.scoring_rows", task.scoring_rows, f"must be a multiple of task.scoring_batch={task.scoring_batch}")
    cap = task.vram_gb
    require(cap is None or cap > 0, "task.vram_gb", cap, "must be above 0, or null for all of the GPU's memory")
    cappable = cap is None or task.device == "cuda"
    require(cappable, "task.vram_gb", cap, f"only task.device=cuda can be capped, not {task.device}; set it to null")
    positions = task.audit_gain_positions + task.audit_uniform_positions
    fits = 0 < positions <= task.scoring_rows and min(task.audit_gain_positions, task.audit_uniform_positions) >= 0
    require(fits, "task.audit_*_positions", positions, f"together 1 to {task.scoring_rows}, one per scored row")
    require(0 <= task.audit_share <= 1, "task.audit_share", task.audit_share, "must be 0 to 1")


def _check_study(study: StudyConfig) -> None:
    limits = {"trials": study.trials, "train_hours": study.train_hours, "usd": study.usd}
    require(any(value is not None for value in limits.values()), "study.trials", None, "set trials, train_hours or usd")
    for key, value in limits.items():
        require(value is None or value > 0, f"study.{key}", value, "must be above 0, or null for no limit")
    every = study.anchor_every
    require(every is None or every > 0, "study.anchor_every", every, "must be above 0, or null for no anchors")
    require(study.parallel > 0, "study.parallel", study.parallel, "must be 1 or more trials at once")
    require(study.ahead in (0, 1), "study.ahead", study.ahead, "must be 0 or 1 proposal asked for in advance")
    above = study.prune is None or study.prune > 0
    require(above, "study.prune", study.prune, "must be above 0, in nats per token, or null for no pruning")


def _check_space(space: dict[str, DimensionConfig]) -> None:
    for name, dimension in space.items():
        key = f"space.{name}"
        kinds = ("int", "float", "power_of_two", "choice")
        require(dimension.kind in kinds, f"{key}.kind", dimension.kind, f"choose {', '.join(kinds)}")
        if dimension.kind == "choice":
            require(bool(dimension.values), f"{key}.values", dimension.values, "list at least one value")
            continue
        low, high = dimension.low, dimension.high
        if low is None or high is None or low >= high:
            raise UserError(f"{key}.low={low}, {key}.high={high}: set both, low below high")
        whole = dimension.kind == "float" or (low == int(low) and high == int(high))
        require(whole, f"{key}.low, high", f"{low}, {high}", "must be whole numbers")
        require(not dimension.log or low > 0, f"{key}.low", low, "must be above 0 on a logarithmic scale")
        if dimension.kind == "power_of_two":
            powers = all(value == int(value) and int(value).bit_count() == 1 for value in (low, high))
            require(powers, f"{key}.low, high", f"{low}, {high}", "must be powers of two")


def _check_llm(key: str, llm: dict[str, Any], usd: float | None) -> None:
    """`key`: where it stands. `usd`: what a study may spend on it."""
    price = llm.get("price")
    if price == REPORTED:
        return
    given = isinstance(price, dict) and set(price) == set(PRICES)
    remedy = f"set {', '.join(PRICES)}, or {REPORTED} for a server that reports dollars itself"
    require(given, f"{key}.price", price, remedy)
    for name, value in llm["price"].items():
        number = isinstance(value, int | float) and value >= 0
        require(value is None or number, f"{key}.price.{name}", value, "dollars per million tokens, or null for unknown")
    if usd is not None:
        known = llm["price"]["input"] is not None and llm["price"]["output"] is not None
        unlisted = f"the price of {key}.model={llm.get('model')} is not known (search/config/{PRICE_LIST.name} lists some); "
        remedy = f"a budget in dollars needs {key}.price.input and {key}.price.output, in dollars per million tokens"
        remedy += " (0: a machine of your own)"
        require(known, "study.usd", usd, unlisted + remedy)


def _check_llms(config: Config) -> None:
    llms = config.strategy.get("llms", {})
    known = isinstance(llms, dict) and all(isinstance(node, dict) and "_target_" in node for node in llms.values())
    known = known and llms.keys() <= set(LLM_ROLES)
    require(known, "strategy.llms", llms, f"choose for {' or '.join(LLM_ROLES)}, as llm@strategy.llms.{LLM_ROLES[0]}=openai")
    asked = llms_of(config.strategy)
    for key, node in {"llm": config.llm, **asked}.items():
        _check_factory(key, node, settings_of(node, LLM_KEYS), ())
        _check_llm(key, node, config.study.usd if key in asked else None)


def _check_coder(coder: CoderConfig) -> None:
    require(bool(coder.command), "coder.command", coder.command, "give the command as a list of words")
    for host in coder.hosts:
        require(HOST.fullmatch(host) is not None, "coder.hosts", host, "give names as NAME, for port 443, or NAME:PORT")
    price = coder.price
    given = price == REPORTED or (isinstance(price, dict) and set(price) == set(PRICES))
    require(given, "coder.price", price, f"set {', '.join(PRICES)}, or {REPORTED} for a command that reports dollars itself")


def _check_factory(key: str, node: dict[str, Any], settings: dict[str, Any], given: Sequence[str]) -> None:
    """The settings in the YAML and on the command line must be what the class takes; a misspelled one is refused
    here."""
    target = node.get("_target_")
    try:
        factory = pkgutil.resolve_name(str(target))
        parameters = inspect.signature(factory).parameters
        hints = _hints(factory)
    except (ImportError, AttributeError, ValueError, TypeError, SyntaxError) as error:
        raise UserError(f"{key}._target_={target}: cannot be imported ({error}); name a class as module.Class") from error
    wanted = [parameter for parameter in parameters if parameter not in given]
    for name, value in settings.items():
        require(name in wanted, f"{key}.{name}", value, f"no such setting; there are: {', '.join(wanted) or 'none'}")
        require(_fits(value, hints.get(name, Any)), f"{key}.{name}", value, f"must be {in_words(hints.get(name))}")
    for name in wanted:
        if parameters[name].default is inspect.Parameter.empty and name not in settings:
            raise UserError(f"{key}.{name}: is missing; set it in the YAML file or on the command line")


def _hints(factory: Any) -> dict[str, Any]:
    """The types of a factory's arguments, as far as they can be known."""
    function = factory.__init__ if inspect.isclass(factory) else factory
    try:
        return get_type_hints(function)
    except NameError:  # a library imports some of its types for its type checker only; the plain ones are known all the same
        written = inspect.get_annotations(function)
        return {name: PLAIN_TYPES[hint] for name, hint in written.items() if hint in PLAIN_TYPES}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value fits a plain type; other types are left to their class."""
    if isinstance(hint, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint in (int, str, bool, NoneType):
        return isinstance(value, hint) and (hint is not int or not isinstance(value, bool))
    return True
