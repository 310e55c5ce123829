"""What a study is: its name, and the first line of its journal, which a resumed study is held against."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.config.places import ROOT, STUDIES
from search.config.schema import Config, TaskConfig
from search.study.journal import FILE, Journal
from search.study.noise_floor import control_noise

METRIC = "bits per UTF-8 byte of text, from float32 logits"
EXTENDABLE = ("config.study.trials", "config.study.train_hours", "config.study.usd")
# Written once, when the study began.
UNCOMPARED = ("id", "noise_floor", "time", "kind", "version", "machine", "device_batch", "overrides")
# Where things lie, and how patient a client is, does not change what a study is (of a text, its contents are compared; of a
# server, the model has a name).
ELSEWHERE = (
    "config.cache",
    "config.tracking.uri",
    "config.sandbox",
    "config.data.corpus.folder",
    "config.data.corpus.mirror",
)
PATIENCE = tuple(
    f"config.strategy.llm.{name}" for name in ("api_key_env", "base_url", "patience_minutes", "timeout_seconds", "retries")
)
# Groups that only count where the strategy uses them, as part of its own settings.
GROUPS = ("llm", "sampler", "space")
# The folders of `search` whose code can change a proposal or a score. What only shows, starts or compares lies in others.
DECIDING = ("agent", "data", "executor", "llm", "runner", "study", "task")
# Libraries whose version can change a proposal or a score.
ENVIRONMENT = ("torch", "numpy", "optuna")
BATCH_CONSTANT = "DEVICE_BATCH_SIZE"


@dataclass(frozen=True)
class DeviceBatch:
    """The `rows` of a training batch that were chosen for GPUs of `memory_gb`."""

    rows: int
    memory_gb: float

    def __str__(self) -> str:
        return f"{BATCH_CONSTANT}={self.rows}, fitted to {self.memory_gb:.0f} GB of GPU memory"


@dataclass(frozen=True)
class Stock:
    """The `train.py` that a study starts from, with its task's constants. `batch`: what it was fitted to, if it was."""

    text: str
    batch: DeviceBatch | None = None


@dataclass(frozen=True)
class Opening:
    """What is known when a study opens, beside its settings. `text`: the prepared text's fingerprint. `sandbox`: its name.
    `overrides`: the command line, as Hydra takes it. `role`: study, or confirmation."""

    stock: Stock
    text: str
    sandbox: str
    overrides: Sequence[str] = ()
    role: str = "study"


def identity(config: Config) -> str:
    """A study's name and folder: the same command finds the same study."""
    return f"{config.experiment}/{config.task.name}/{config.strategy_name}/{config.seed}"


def open_study(config: Config, opening: Opening, journal: Journal) -> dict[str, Any]:
    """Write the journal's first line, or hold it against what is asked for now. Returns that line.

    Raises UserError where what differs may not.
    """
    now, then = header_of(config, opening), journal.header
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
            _refuse_other_memory(key, journal.folder, batch_of(then), opening.stock.batch)
            name = key.removeprefix("config.")
            raise UserError(
                f"{journal.folder}: this study began with {name}={before}, and now it is {after}.\n"
                "Go back to that, or give the new study another name with experiment="
            )
    journal.append("resumed", budget=now["config"]["study"])
    return then


def batch_of(header: dict[str, Any]) -> DeviceBatch | None:
    """What a study's stock was fitted to when it began."""
    record = header["device_batch"]
    return None if record is None else DeviceBatch(**record)


def _refuse_other_memory(key: str, folder: Path, then: DeviceBatch | None, now: DeviceBatch | None) -> None:
    """Raise UserError where it is the GPU's memory that makes the stock another one."""
    if key == "stock" and then is not None and now is not None and then.rows != now.rows:
        raise UserError(
            f"{folder}: this study began with {then}, and now it is {now}.\n"
            "Go on with GPUs of that size, or give the new study another name with experiment="
        )


def header_of(config: Config, opening: Opening) -> dict[str, Any]:
    """What a study is: its settings and the hashes of what it depends on."""
    task, batch = task_facts(config.task, opening.text), opening.stock.batch
    return {
        "role": opening.role,
        "identity": identity(config),
        "strategy": config.strategy_name,
        "config": {key: value for key, value in asdict(config).items() if key not in GROUPS},
        "overrides": list(opening.overrides),
        "sandbox": opening.sandbox,
        "task": task,
        "task_fingerprint": hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest(),
        "stock": hashlib.sha256(opening.stock.text.encode()).hexdigest(),
        "device_batch": None if batch is None else asdict(batch),
        "harness": harness_hash(),
        "strategy_code": strategy_hash(config.strategy["_target_"]),
        "environment": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ENVIRONMENT},
        },
        "machine": f"{platform.node()}, {platform.system()} {platform.machine()}",
    }


def task_facts(task: TaskConfig, text: str) -> dict[str, Any]:
    """What two studies must share to be comparable; its hash is the task's fingerprint. `text`: the prepared text's."""
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
        "text_and_tokenizer": text,
    }


def text_of(folder: Path) -> str | None:
    """The fingerprint of the text that the study of a folder began with; None where it has not begun. A journal that
    is damaged or cannot be read is an error of who opens it."""
    try:
        with (folder / FILE).open("rb") as file:
            return str(json.loads(file.readline())["task"]["text_and_tokenizer"])
    except (OSError, ValueError, KeyError):
        return None


def harness_hash() -> str:
    """The hash of all code of the harness that can change a proposal or a score."""
    return _hash_of(path for folder in DECIDING for path in (ROOT / "search" / folder).rglob("*.py"))


def strategy_hash(target: str) -> str:
    """The hash of the module that a strategy's class is in."""
    module = importlib.util.find_spec(target.rpartition(".")[0])
    return _hash_of([Path(module.origin)] if module is not None and module.origin is not None else [])


def _hash_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values as `a.b.c`, as JSON would bring them back."""
    if isinstance(node, dict) and node:
        parts: dict[str, Any] = {}
        for key, value in node.items():
            parts.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return parts
    return {prefix: list(node) if isinstance(node, tuple) else node}
