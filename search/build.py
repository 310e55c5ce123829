"""Puts a study together from its configuration, runs it, and says where to look."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from search import source
from search.config import Config, TaskConfig, build
from search.errors import UserError
from search.interrupt import Interrupts
from search.journal import ATTACHMENTS, Journal
from search.noise import control_noise
from search.paths import ROOT, STUDIES
from search.progress import PlainDisplay, make_display, summary
from search.runner import sandbox
from search.runner.device import available
from search.runner.trial_runner import TrialRunner
from search.strategy import NoiseFloor, Strategy, TaskFacts
from search.study import STOPPED, Budget, Study
from search.task.corpus import CorpusError
from search.task.tokens import Prepared, prepare
from search.tracking import MlflowPublisher, check_store
from search.trial import Origin

AUDITED_DEVIATIONS = 4.0  # standard deviations from the best score within which every trial is audited
UNPROTECTED = " (a candidate can read and write whatever you can, the scored text too)"
METRIC = "bits per UTF-8 byte of text, from float32 logits"
EXTENDABLE = ("config.study.trials", "config.study.train_hours", "config.study.usd")
UNCOMPARED = ("id", "noise_floor", "time", "kind", "machine")  # written once, when the study began
# Where things lie, and how patient a client is, does not change what a study is.
ELSEWHERE = ("config.cache", "config.tracking.uri", "config.sandbox")
PATIENCE = tuple(f"config.strategy.llm.{name}" for name in ("api_key_env", "retries", "timeout_seconds"))
# Groups that only count where the strategy uses them, as part of its own settings.
GROUPS = ("llm", "sampler", "space")
# Modules that only show or start something: a change there is no reason to refuse a study.
SHOWING = ("cli.py", "multirun.py", "once.py", "prepare.py", "progress.py", "table.py", "tracking.py")
# Libraries whose version can change a proposal or a score.
ENVIRONMENT = ("torch", "numpy", "optuna")


def identity(config: Config) -> str:
    """A study's name and folder: the same command finds the same study."""
    return f"{config.experiment}/{config.task.name}/{config.strategy_name}/{config.seed}"


def stock_of(config: Config) -> str:
    """The start file with the task's constants. Raises UserError."""
    try:
        text = config.start_file.read_text(encoding="utf-8")
        stock = source.fit_to_task(text, config.task.name, config.task.constants)
        source.constants(stock)
    except source.UnknownConstant as error:
        raise UserError(
            f"task.constants.{error.args[0]}: {config.start} has no constant of that name; correct one of them"
        ) from error
    except (SyntaxError, ValueError, OSError) as error:  # ValueError: not UTF-8 too
        raise UserError(f"start={config.start}: {error}") from error
    return stock


def check(config: Config) -> None:
    """All that can be found wrong before anything is spent. Raises UserError."""
    stock = stock_of(config)
    available(config.task.device, config.task.threads)
    sandbox.choose(config.sandbox)
    make_strategy(config, stock, None, STUDIES / identity(config))


def make_strategy(config: Config, stock: str, noise_floor: NoiseFloor | None, folder: Path) -> Strategy:
    """`folder`: the study's. Raises UserError where the strategy's settings or surroundings do not do."""
    task = config.task
    facts = TaskFacts(
        name=task.name,
        stock=stock,
        device=task.device,
        threads=task.threads,
        sequence_length=task.sequence_length,
        vocab_size=task.vocab_size,
        budget=budget_in_words(task),
        limits=f"start-up {task.startup_seconds:g} s, weights {task.weights_gb:g} GB, program {task.source_kb:g} kB",
        folder=folder / ATTACHMENTS,
    )
    settings = {"_target_": config.strategy["_target_"], **config.strategy_settings}
    strategy: Strategy = build(settings, task=facts, seed=config.seed, noise_floor=noise_floor)
    return strategy


def budget_in_words(task: TaskConfig) -> str:
    if task.budget.seconds is not None:
        return f"{task.budget.seconds:g} seconds of training"
    return f"{task.budget.tokens:,} tokens of training"


def prepare_data(config: Config, report: Callable[[str], None]) -> Prepared:
    """The task's token files, made if they are missing. Raises UserError."""
    try:
        return prepare(config.data.name, build(config.data.corpus), config.task.vocab_size, config.cache_folder, report)
    except CorpusError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"cache={config.cache}: cannot be used ({error}); free space or set another cache=") from error


def run_study(config: Config) -> None:
    """Run a study, or what is left of it. Raises UserError; KeyboardInterrupt where it was stopped on request."""
    check(config)
    console = Console()
    plain = PlainDisplay(console)
    prepared = prepare_data(config, plain.say)
    folder = STUDIES / identity(config)
    runner = make_runner(config, prepared, folder / "work", folder / "stock_nats.npy")
    check_store(config.tracking.uri)
    with Journal(folder, plain.say) as journal:  # from here on there is a study
        header = open_study(config, journal, prepared)
        publisher = MlflowPublisher(config.tracking.uri, journal, plain.say)
        plain.say(opening(config, folder, header))
        done = sum(entry.trial.origin is not Origin.ANCHOR for entry in journal.entries)
        display = make_display(console, config.study.trials, done)
        publisher.report = display.say
        try:
            with Interrupts(display.say) as interrupts:
                study = make_study(config, journal, runner, publisher, display, header["noise_floor"], interrupts)
                done_before = len(journal.entries)
                reason = study.run()
        except BaseException as error:
            publisher.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        finally:
            display.close()
        journal.append("ended", reason=reason)
        publisher.close("KILLED" if interrupts.requested else "FINISHED")
        plain.say(closing(reason, len(journal.entries) - done_before))
        console.print(summary(identity(config), journal.entries, study.best))
        say_where(plain, publisher)
    if interrupts.requested:
        raise KeyboardInterrupt
    if publisher.behind:
        raise UserError(
            f"tracking.uri={config.tracking.uri}: went out of reach during the study. All trials are safe in {folder}; "
            "give the same command again to publish them"
        )


def closing(reason: str, new: int) -> str:
    """How a start ended. `new`: trials of this start, anchors too."""
    if new or reason == STOPPED:
        return f"{reason}; {new} trials in this start"
    return f"the study is complete: {reason}; nothing was trained"


def open_study(config: Config, journal: Journal, prepared: Prepared) -> dict[str, Any]:
    """Write the journal's first line, or hold it against what is asked for now.

    Raises UserError where what differs may not.
    """
    now = header_of(config, prepared)
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
            name = key.removeprefix("config.")
            raise UserError(
                f"{journal.folder}: this study began with {name}={before}, and now it is {after}.\n"
                "Go back to that, or give the new study another name with experiment="
            )
    journal.append("resumed", budget=now["config"]["study"])
    return then


def header_of(config: Config, prepared: Prepared) -> dict[str, Any]:
    """What a study is: its settings and the hashes of what it depends on."""
    task = task_facts(config.task, prepared)
    return {
        "identity": identity(config),
        "strategy": config.strategy_name,
        "config": {key: value for key, value in asdict(config).items() if key not in GROUPS},
        "sandbox": sandbox.choose(config.sandbox).name,
        "task": task,
        "task_fingerprint": hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest(),
        "stock": hashlib.sha256(stock_of(config).encode()).hexdigest(),
        "harness": harness_hash(config.strategy["_target_"]),
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
        "sequence_length": task.sequence_length,
        "vocab_size": task.vocab_size,
        "packing": task.packing,
        "budget": asdict(task.budget),
        "scoring_rows": task.scoring_rows,
        "metric": METRIC,
        "text_and_tokenizer": prepared.fingerprint,
    }


def harness_hash(strategy: str) -> str:
    """Of all code that can change a proposal or a score: the harness's, and the strategy's own module."""
    module = importlib.util.find_spec(strategy.rpartition(".")[0])
    own = [Path(module.origin)] if module is not None and module.origin is not None else []
    harness = [path for path in (ROOT / "search").rglob("*.py") if path.name not in SHOWING]
    digest = hashlib.sha256()
    for path in sorted({*harness, *own}):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def make_study(
    config: Config,
    journal: Journal,
    runner: TrialRunner,
    publisher: MlflowPublisher,
    display: PlainDisplay,
    noise_floor: dict[str, Any] | None,
    interrupts: Interrupts,
) -> Study:
    stock = stock_of(config)
    floor = NoiseFloor(**noise_floor) if noise_floor else None
    return Study(
        strategy=make_strategy(config, stock, floor, journal.folder),
        runner=runner,
        journal=journal,
        publisher=publisher,
        display=display,
        budget=Budget(config.study),
        stock=stock,
        search_seed=config.seed,
        audit_share=config.task.audit_share,
        audit_within=0.0 if floor is None else AUDITED_DEVIATIONS * floor.sd,
        stop=lambda: interrupts.requested,
    )


def make_runner(config: Config, prepared: Prepared, work: Path, reference: Path) -> TrialRunner:
    """A runner that scores on the validation split. Raises UserError where that is too short."""
    try:
        return TrialRunner(config.task, prepared, "validation", work, reference, sandbox.choose(config.sandbox))
    except ValueError as error:
        raise UserError(f"task.scoring_rows={config.task.scoring_rows}: {error}; use more text or fewer rows") from error


def opening(config: Config, folder: Path, header: dict[str, Any]) -> str:
    noise = header["noise_floor"]
    floor = "unknown (run strategy=seeds first)"
    if noise is not None:
        floor = f"standard deviation {noise['sd']:.4f} over {noise['trials']} trials"
    about = config.llm.get("about") if "llm" in config.strategy_settings else None
    remark = f"llm={config.llm['name']}: {about}\n" if about else ""
    return (
        f"study {identity(config)}: {budget_in_words(config.task)} a trial, text {config.data.name}\n{remark}"
        f"noise floor of the experiment's control: {floor}\n"
        f"sandbox: {header['sandbox']}{UNPROTECTED if header['sandbox'] == 'none' else ''}\n"
        f"journal: {folder}"
    )


def say_where(display: PlainDisplay, publisher: MlflowPublisher) -> None:
    """How to look at the study."""
    if publisher.uri.startswith("http"):
        display.say(f"see it: {publisher.link(publisher.uri.rstrip('/'))}")
        return
    display.say(f"see it: mlflow server --backend-store-uri {publisher.uri} --port 5000 --workers 1")
    display.say(f"   then {publisher.link('http://127.0.0.1:5000')}")


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values as `a.b.c`, as JSON would bring them back."""
    if isinstance(node, dict) and node:
        parts: dict[str, Any] = {}
        for key, value in node.items():
            parts.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return parts
    return {prefix: list(node) if isinstance(node, tuple) else node}
