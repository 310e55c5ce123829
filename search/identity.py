"""What a study is: its name, its stock, and the first line of its journal, which a resumed study is held against."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search import source
from search.config import Config, TaskConfig
from search.device_batch import CONSTANT, DeviceBatch, fit
from search.errors import UserError
from search.journal import Journal
from search.noise import control_noise
from search.paths import ROOT, STUDIES
from search.runner import sandbox
from search.runner.gpus import listed
from search.task.tokens import Prepared

METRIC = "bits per UTF-8 byte of text, from float32 logits"
EXTENDABLE = ("config.study.trials", "config.study.train_hours", "config.study.usd")
UNCOMPARED = ("id", "noise_floor", "time", "kind", "machine", "device_batch")  # written once, when the study began
# Where things lie, and how patient a client is, does not change what a study is (of a text, its contents are compared).
ELSEWHERE = (
    "config.cache",
    "config.tracking.uri",
    "config.sandbox",
    "config.data.corpus.folder",
    "config.data.corpus.mirror",
)
PATIENCE = tuple(f"config.strategy.llm.{name}" for name in ("api_key_env", "retries", "timeout_seconds"))
# Groups that only count where the strategy uses them, as part of its own settings.
GROUPS = ("llm", "sampler", "space")
# Modules that only show or start something: a change there is no reason to refuse a study.
SHOWING = (
    *("arguments.py", "cli.py", "exits.py", "explain.py", "multirun.py", "once.py", "prepare.py"),
    *("colours.py", "peaks.py", "plausibility.py", "progress.py", "table.py", "untrusted.py"),
)
SHOWING_PACKAGES = {"tracking", "compare", "confirm"}
# Libraries whose version can change a proposal or a score.
ENVIRONMENT = ("torch", "numpy", "optuna")


def identity(config: Config) -> str:
    """A study's name and folder: the same command finds the same study."""
    return f"{config.experiment}/{config.task.name}/{config.strategy_name}/{config.seed}"


def stock_of(config: Config) -> str:
    """The start file with the task's constants, fitted to the GPU's memory. Raises UserError."""
    return fitted_stock(config)[0]


def fitted_stock(config: Config) -> tuple[str, DeviceBatch | None]:
    """The stock, and the device batch that was chosen for it. For a new study, and to hold an old one against: what a study
    began with is in its journal. Raises UserError."""
    try:
        text = config.start_file.read_text(encoding="utf-8")
        batch = fit(text, config.task, listed(config.task.device))
        values = config.task.constants
        if batch is not None and batch.rows != source.constants(text)[CONSTANT]:
            values = {**values, CONSTANT: batch.rows}
        stock = source.fit_to_task(text, config.task.name, values)
        source.constants(stock)
    except source.UnknownConstant as error:
        raise UserError(
            f"task.constants.{error.args[0]}: {config.start} has no constant of that name; correct one of them"
        ) from error
    except (SyntaxError, ValueError, OSError) as error:  # ValueError: not UTF-8 too
        raise UserError(f"start={config.start}: {error}") from error
    return stock, batch


def open_study(
    config: Config,
    stock: str,
    journal: Journal,
    prepared: Prepared,
    role: str = "study",
    batch: DeviceBatch | None = None,
) -> dict[str, Any]:
    """Write the journal's first line, or hold it against what is asked for now. `batch`: what the stock was fitted to.

    Raises UserError where what differs may not.
    """
    now = header_of(config, stock, prepared, role, batch)
    then = journal.header
    if then is None:
        noise = control_noise(STUDIES / config.experiment / config.task.name, now["task_fingerprint"], now["stock"])
        now["id"] = uuid.uuid4().hex
        now["noise_floor"] = None if noise is None else asdict(noise)
        journal.append("study", durable=True, **now)
        return journal.lines[0]
    then_values, now_values = flat(then), flat(now)
    for key in sorted(now_values.keys() | then_values.keys()):
        if key in (*EXTENDABLE, *ELSEWHERE, *PATIENCE) or key.partition(".")[0] in UNCOMPARED:
            continue
        before, after = then_values.get(key), now_values.get(key)
        if before != after:
            _refuse_other_memory(key, journal.folder, batch_of(then), batch)
            name = key.removeprefix("config.")
            raise UserError(
                f"{journal.folder}: this study began with {name}={before}, and now it is {after}.\n"
                "Go back to that, or give the new study another name with experiment="
            )
    journal.append("resumed", budget=now["config"]["study"])
    return then


def batch_of(header: dict[str, Any]) -> DeviceBatch | None:
    """What a study's stock was fitted to when it began."""
    record = header.get("device_batch")  # older journals have none
    return None if record is None else DeviceBatch(**record)


def _refuse_other_memory(key: str, folder: Path, then: DeviceBatch | None, now: DeviceBatch | None) -> None:
    """Raise UserError where it is the GPU's memory that makes the stock another one."""
    if key == "stock" and then is not None and now is not None and then.rows != now.rows:
        raise UserError(
            f"{folder}: this study began with {then}, and now it is {now}.\n"
            "Go on with GPUs of that size, or give the new study another name with experiment="
        )


def header_of(config: Config, stock: str, prepared: Prepared, role: str, batch: DeviceBatch | None = None) -> dict[str, Any]:
    """What a study is: its settings and the hashes of what it depends on. `role`: study, or confirmation."""
    task = task_facts(config.task, prepared)
    return {
        "role": role,
        "identity": identity(config),
        "strategy": config.strategy_name,
        "config": {key: value for key, value in asdict(config).items() if key not in GROUPS},
        "sandbox": sandbox.choose(config.sandbox, config.task.device).name,
        "task": task,
        "task_fingerprint": hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest(),
        "stock": hashlib.sha256(stock.encode()).hexdigest(),
        "device_batch": None if batch is None else asdict(batch),
        "harness": harness_hash(),
        "strategy_code": strategy_hash(config.strategy["_target_"]),
        "environment": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ENVIRONMENT},
        },
        "machine": f"{platform.node()}, {platform.system()} {platform.machine()}",
    }


def task_facts(task: TaskConfig, prepared: Prepared) -> dict[str, Any]:
    """What two studies must share to be comparable; its hash is the task's fingerprint."""
    return {
        "device": task.device,
        "threads": task.threads,
        **({} if task.vram_gb is None else {"vram_gb": task.vram_gb}),  # a cap changes what can be trained
        "sequence_length": task.sequence_length,
        "vocab_size": task.vocab_size,
        "packing": task.packing,
        "budget": asdict(task.budget),
        "scoring_rows": task.scoring_rows,
        "metric": METRIC,
        "text_and_tokenizer": prepared.fingerprint,
    }


def harness_hash() -> str:
    """Of all code of the harness that can change a proposal or a score."""
    ours = (ROOT / "search").rglob("*.py")
    return _hash_of(path for path in ours if path.name not in SHOWING and not _shows(path))


def strategy_hash(target: str) -> str:
    """Of the module that a strategy's class is in."""
    module = importlib.util.find_spec(target.rpartition(".")[0])
    return _hash_of([Path(module.origin)] if module is not None and module.origin is not None else [])


def _hash_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _shows(path: Path) -> bool:
    """Whether a file belongs to a package that only shows or compares."""
    return not SHOWING_PACKAGES.isdisjoint(path.relative_to(ROOT).parts)


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values as `a.b.c`, as JSON would bring them back."""
    if isinstance(node, dict) and node:
        parts: dict[str, Any] = {}
        for key, value in node.items():
            parts.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return parts
    return {prefix: list(node) if isinstance(node, tuple) else node}
