"""The identity of a study: its name, and the first line of its journal, with which a resumed study is compared."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.config.schema import Config, TaskConfig
from search.config.secrets import all_masked
from search.study.code import check_code, code_of, harness_hash
from search.study.complete import complete
from search.study.journal import FILE, Journal

METRIC = "bits per UTF-8 byte of text, from float32 logits"
SURROUNDINGS = ("sandbox", "environment")  # of what is still to be trained
EXTENDABLE = ("config.study.trials", "config.study.train_hours", "config.study.usd")
# Written once, when the study began.
WRITTEN_ONCE = ("id", "time", "kind", "version")
# The code is compared file by file, and may be accepted.
UNCOMPARED = (*WRITTEN_ONCE, "machine", "device_batch", "overrides", "harness", "code")
# Where things lie, how they are described, and how patient a client is, does not change what a study is (of a text, its
# contents are compared; of a server, the model has a name).
ELSEWHERE = (
    "config.accept_harness",
    "config.cache",
    "config.tracking.uri",
    "config.sandbox",
    "config.data.about",
    "config.data.corpus.folder",
    "config.data.corpus.mirror",
)
PATIENCE = (
    *(
        f"config.strategy.llm.{name}"
        for name in ("api_key_env", "base_url", "patience_minutes", "timeout_seconds", "retries")
    ),
    *(f"config.strategy.coder.{name}" for name in ("about", "api_key_env", "hosts", "installation")),
    "config.strategy.patience_minutes",
)
# What a reply cost is recorded with it, at the price of its day.
PRICES = tuple(
    f"config.strategy.{who}.price{name}" for who in ("llm", "coder") for name in ("", ".input", ".cached", ".output")
)
ROLE = re.compile(r"(?<=^config\.strategy\.)llms\.\w+")  # of a strategy that asks several LLMs: each counts as `llm` does
# Groups that only count where the strategy uses them, as part of its own settings; and where the trials run, which may
# change: each outcome names its device.
UNRECORDED = ("llm", "coder", "sampler", "space", "executor")
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
    """What is known when a study opens, besides its settings. `text`: the prepared text's fingerprint. `sandbox`: its
    name. `overrides`: the command line, as Hydra takes it. `reads`: what the strategy has read of other studies (see
    `search.study.reads`). `role`: study, or confirmation."""

    stock: Stock
    text: str
    sandbox: str
    overrides: Sequence[str] = ()
    reads: Sequence[dict[str, Any]] = ()
    role: str = "study"


def identity(config: Config) -> str:
    """A study's name and folder: the same command finds the same study."""
    return f"{config.experiment}/{config.task.name}/{config.strategy_name}/{config.seed}"


def open_study(config: Config, opening: Opening, journal: Journal) -> dict[str, Any]:
    """Write the journal's first line, or compare it with what is asked for now. Returns that line.

    Raises UserError if something differs that must not.
    """
    now, then = header_of(config, opening), journal.header
    if then is None:
        now["id"] = uuid.uuid4().hex
        journal.append("study", durable=True, **now)
        return journal.lines[0]
    is_complete = complete(journal, config.study) is not None
    _refuse_differences(journal.folder, then, now, opening.stock.batch, SURROUNDINGS if is_complete else ())
    if not is_complete:
        check_code(journal, now["code"], config.accept_harness)
    journal.append("resumed", budget=now["config"]["study"])
    return then


def _refuse_differences(
    folder: Path, then: dict[str, Any], now: dict[str, Any], batch: DeviceBatch | None, allowed: Sequence[str]
) -> None:
    """Raise UserError if a journal's first line is not what is asked for now. `allowed`: parts of it that may differ."""
    if lacking := sorted({*now, *WRITTEN_ONCE} - then.keys()):
        raise UserError(
            f"{folder / FILE}: line 1 is damaged ({', '.join(lacking)}: missing): the study's settings are lost.\n"
            "Restore the file from a copy, or use another experiment="
        )
    then_values, now_values = flat(all_masked(then)), flat(now)  # a password does not count as a difference
    for key in sorted(now_values.keys() | then_values.keys()):
        may_differ = ROLE.sub("llm", key) in (*EXTENDABLE, *ELSEWHERE, *PATIENCE, *PRICES)
        if may_differ or key.partition(".")[0] in (*UNCOMPARED, *allowed):
            continue
        before, after = then_values.get(key), now_values.get(key)
        is_new_and_off = key.startswith("config.strategy.") and key not in then_values and after == 0  # of a later version
        if before != after and not is_new_and_off:
            _refuse_other_memory(key, folder, batch_of(then), batch)
            back = f"sandbox={before}" if key == "sandbox" else "that"
            raise UserError(
                f"{folder}: this study began with {key.removeprefix('config.')}={before}, and now it is {after}.\n"
                f"Go back to {back}, or give the new study another name with experiment="
            )


def batch_of(header: dict[str, Any]) -> DeviceBatch | None:
    """What a study's stock was fitted to when it began."""
    record = header["device_batch"]
    return None if record is None else DeviceBatch(**record)


def _refuse_other_memory(key: str, folder: Path, then: DeviceBatch | None, now: DeviceBatch | None) -> None:
    """Raise UserError if the stock differs only because of the GPU's memory."""
    if key == "stock" and then is not None and now is not None and then.rows != now.rows:
        raise UserError(
            f"{folder}: this study began with {then}, and now it is {now}.\n"
            "Continue with GPUs of that size, or give the new study another name with experiment="
        )


def header_of(config: Config, opening: Opening) -> dict[str, Any]:
    """What a study is: its settings and the hashes of what it depends on."""
    task, batch = task_facts(config.task, opening.text), opening.stock.batch
    return {
        "role": opening.role,
        "identity": identity(config),
        "strategy": config.strategy_name,
        "config": config_record(config),
        **({"reads": list(opening.reads)} if opening.reads else {}),
        "overrides": all_masked(list(opening.overrides)),
        "sandbox": opening.sandbox,
        "task": task,
        "task_fingerprint": hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest(),
        "stock": hashlib.sha256(opening.stock.text.encode()).hexdigest(),
        "device_batch": None if batch is None else asdict(batch),
        "harness": harness_hash(),
        "code": code_of(config.strategy["_target_"], config.strategy),
        "environment": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ENVIRONMENT},
        },
        "machine": f"{platform.node()}, {platform.system()} {platform.machine()}",
    }


def config_record(config: Config) -> dict[str, Any]:
    """The settings as JSON values, without passwords. `search.config.schema.restored` reads them."""
    return all_masked({key: value for key, value in asdict(config).items() if key not in UNRECORDED})


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
    """The fingerprint of the text that the study of a folder began with; None if it has not begun. A journal that is
    damaged or cannot be read is reported by whoever opens it."""
    try:
        with (folder / FILE).open("rb") as file:
            return str(json.loads(file.readline())["task"]["text_and_tokenizer"])
    except (OSError, ValueError, KeyError):
        return None


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values as `a.b.c`, as JSON would bring them back."""
    if isinstance(node, dict) and node:
        parts: dict[str, Any] = {}
        for key, value in node.items():
            parts.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return parts
    return {prefix: list(node) if isinstance(node, tuple) else node}
