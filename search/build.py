"""Puts a study together from its configuration, runs it, and says where to look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from search.config import Config, TaskConfig, build
from search.errors import UserError
from search.identity import batch_of, fitted_stock, identity, open_study, stock_of
from search.interrupt import Interrupts
from search.journal import ATTACHMENTS, Entry, Journal
from search.paths import STUDIES
from search.progress import PlainDisplay, make_display, summary
from search.runner import sandbox
from search.runner.trial_runner import TrialRunner, check_devices
from search.strategy import NoiseFloor, Strategy, TaskFacts
from search.study import STOPPED, Budget, Study
from search.task.corpus import CorpusError
from search.task.tokens import Prepared, prepare
from search.tracking.links import directions, studies_page
from search.tracking.publisher import MlflowPublisher
from search.tracking.store import check_store
from search.trial import Origin

AUDITED_DEVIATIONS = 4.0  # standard deviations from the best score within which every trial is audited
UNPROTECTED = " (a candidate can read and write whatever you can, the scored text too)"


def check(config: Config) -> None:
    """All that can be found wrong before anything is spent. Raises UserError."""
    check_devices(config.task)
    stock = stock_of(config)
    sandbox.choose(config.sandbox, config.task.device)
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
        limits=f"start-up {task.startup_seconds:g} s, weights {task.weights_gb:g} GB, program {task.source_kb:g} kB, "
        f"memory {task.memory_gb:g} GB" + ("" if task.vram_gb is None else f", GPU memory {task.vram_gb:g} GB"),
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
    with closing(runner), Journal(folder, plain.say) as journal:  # from here on there is a study
        stock, batch = fitted_stock(config)
        header = open_study(config, stock, journal, prepared, batch=batch)
        publisher = MlflowPublisher(config.tracking.uri, journal, plain.say)
        plain.say(opening(config, folder, header))

        def make(display: PlainDisplay, interrupts: Interrupts) -> Study:
            return make_study(config, stock, journal, runner, publisher, display, header["noise_floor"], interrupts)

        def summarise(entries: Sequence[Entry]) -> Table:
            return summary(identity(config), entries)

        stopped = conduct(journal, publisher, console, config.study.trials, make, summarise)
        say_where(plain, publisher)
    finish(stopped, publisher, config.tracking.uri, folder)


def conduct(
    journal: Journal,
    publisher: MlflowPublisher,
    console: Console,
    trials: int | None,
    make: Callable[[PlainDisplay, Interrupts], Study],
    summarise: Callable[[Sequence[Entry]], Table],
) -> bool:
    """Run a study to its end, with its display, Ctrl-C and MLflow. Returns whether it was stopped on request."""
    done = sum(entry.trial.origin is not Origin.ANCHOR for entry in journal.entries)
    display = make_display(console, trials, done)
    publisher.report = display.say
    try:
        with Interrupts(display.say) as interrupts:
            study = make(display, interrupts)
            done_before = len(journal.entries)
            reason = study.run()
    except BaseException as error:
        publisher.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    finally:
        display.close()
    journal.append("ended", reason=reason)
    publisher.close("KILLED" if interrupts.requested else "FINISHED")
    PlainDisplay(console).say(ending(reason, len(journal.entries) - done_before))
    console.print(summarise(journal.entries))
    return interrupts.requested


def finish(stopped: bool, publisher: MlflowPublisher, uri: str, folder: Path) -> None:
    """How a start ends for the caller: KeyboardInterrupt where it was stopped, UserError where MLflow is behind."""
    if stopped:
        raise KeyboardInterrupt
    if publisher.behind:
        raise UserError(
            f"tracking.uri={uri}: went out of reach during the study. All trials are safe in {folder}; "
            "give the same command again to publish them"
        )


def ending(reason: str, new: int) -> str:
    """How a start ended. `new`: trials of this start, anchors too."""
    if new or reason == STOPPED:
        return f"{reason}; {new} trials in this start"
    return f"the study is complete: {reason}; nothing was trained"


def make_study(
    config: Config,
    stock: str,
    journal: Journal,
    runner: TrialRunner,
    publisher: MlflowPublisher,
    display: PlainDisplay,
    noise_floor: dict[str, Any] | None,
    interrupts: Interrupts,
) -> Study:
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


def make_runner(config: Config, prepared: Prepared, work: Path, reference: Path, confirming: bool = False) -> TrialRunner:
    """A runner that scores validation, and the confirmation split only where it is `confirming`. Raises UserError where the
    text is too short."""
    try:
        return TrialRunner(
            config.task, prepared, work, reference, sandbox.choose(config.sandbox, config.task.device), confirming
        )
    except ValueError as error:
        raise UserError(f"task.scoring_rows={config.task.scoring_rows}: {error}; use more text or fewer rows") from error
    except OSError as error:
        raise UserError(f"the prepared text in {prepared.folder} cannot be used: {error}") from error


def opening(config: Config, folder: Path, header: dict[str, Any]) -> str:
    noise = header["noise_floor"]
    floor = "unknown (run strategy=seeds first)"
    if noise is not None:
        floor = f"standard deviation {noise['sd']:.4f} over {noise['trials']} trials"
    about = config.llm.get("about") if "llm" in config.strategy_settings else None
    remark = f"llm={config.llm['name']}: {about}\n" if about else ""
    batch = batch_of(header)
    remark += f"{batch}\n" if batch else ""
    return (
        f"study {identity(config)}: {budget_in_words(config.task)} a trial, text {config.data.name}\n{remark}"
        f"noise floor of the experiment's control: {floor}\n"
        f"sandbox: {header['sandbox']}{UNPROTECTED if header['sandbox'] == 'none' else ''}\n"
        f"journal: {folder}"
    )


def say_where(display: PlainDisplay, publisher: MlflowPublisher) -> None:
    """How to look at the study."""
    for line in directions(publisher.uri, studies_page(publisher.experiment)):
        display.say(line)
