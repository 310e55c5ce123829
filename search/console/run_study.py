"""Puts a study together from its configuration, runs it, and says where to look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from search.config.messages import many
from search.config.places import STUDIES
from search.config.schema import Config, TaskConfig, build, llms_of
from search.console.conduct import conduct, finish, say_where, where
from search.console.expected_end import expected_end
from search.console.progress import PlainDisplay, summary
from search.console.side_by_side import end_study, in_worker
from search.console.study_table import row_of
from search.data.tokens import Prepared, prepare_data
from search.executor.drive import Display, drive
from search.executor.place import Place
from search.runner.drafts import Drafts
from search.runner.external.programs import ExternalPrograms
from search.runner.process import sandbox
from search.runner.stock import set_by_task, stock_of
from search.runner.task_api import task_api
from search.study.budget import Budget, budget_in_words
from search.study.complete import complete
from search.study.contract import FEWEST, NeedsServer, Strategy, TaskFacts, nothing_to_read
from search.study.identity import Opening, batch_of, identity, open_study, text_of
from search.study.journal import ATTACHMENTS, Entry, Journal
from search.study.noise_floor import control_scores, noise_of
from search.study.prune import Policy
from search.study.reads import Reads
from search.study.study import Study
from search.tracking.publisher import MlflowPublisher
from search.tracking.store import check_store

DRAFTS = "drafts"  # of a study's folder: where a check of one has its files
UNPROTECTED = " (candidates can read and write whatever you can, including the scored text)"


def check(config: Config, here: bool = True) -> None:
    """Check everything that can be checked before anything is spent. `here`: the study will run on this machine. Raises
    UserError."""
    if here:
        place_of(config).check(config.task)
        sandbox.choose(config.sandbox, config.task.device)
    stock = stock_of(config)
    make_strategy(config, stock.text, STUDIES / identity(config), reads=reads_for(config))


def reads_for(config: Config) -> Reads:
    """What the study reads of others, none so far."""
    return Reads(STUDIES, identity(config))


def place_of(config: Config) -> Place:
    """Where the study's trials run."""
    place: Place = build(config.executor)
    return place


def make_strategy(
    config: Config,
    stock: str,
    folder: Path,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
    begun: int = 0,
    prepared: Prepared | None = None,
    reads: Reads | None = None,
) -> Strategy:
    """`folder`: the study's. `say`, `stop`, `begun`: see TaskFacts. `prepared`: its text, if that exists already.
    `reads`: records what the strategy reads of other studies. Raises UserError if the strategy cannot work with its
    settings or environment."""
    task = config.task
    facts = TaskFacts(
        name=task.name,
        stock=stock,
        device=task.device,
        threads=task.threads,
        sequence_length=task.sequence_length,
        vocab_size=task.vocab_size,
        budget=budget_in_words(task.budget),
        limits=limits_in_words(task, config.study.prune),
        folder=folder / ATTACHMENTS,
        begun=begun,
        say=say,
        stop=stop,
        budget_tokens=task.budget.tokens,
        api=task_api(),
        study=config.study,
        read=nothing_to_read if reads is None else reads.study,
        reports=nothing_to_read if reads is None else reads.reports,
        programs=ExternalPrograms(),
        check=Drafts(task, config.sandbox, folder / DRAFTS, say, stop).check,
        **text_facts(config, prepared),
    )
    settings = {"_target_": config.strategy["_target_"], **config.strategy_settings}
    strategy: Strategy = build(settings, task=facts, seed=config.seed)
    return strategy


def limits_in_words(task: TaskConfig, prune: float | None) -> str:
    """What a program may use besides its budget. `prune`: the margin of study.prune."""
    allowed = task.allowances.startup
    beyond = f"time beyond {allowed.factor:g} times the stock's plus {allowed.seconds:g} s"
    then = "is taken off the budget" if task.budget.seconds else "ends the trial"
    early = f"a trial ends early if its reported loss (plain cross-entropy) lies {prune} nats above stock and best"
    parts = [
        f"start-up {task.startup_seconds:g} s, and {beyond} {then}",
        "" if task.budget.cap_seconds is None else f"the training run {task.budget.cap_seconds:g} s",
        f"weights {task.weights_gb:g} GB",
        f"program {task.source_kb:g} kB",
        f"memory {task.memory_gb:g} GB",
        "" if task.vram_gb is None else f"GPU memory {task.vram_gb:g} GB",
        "" if prune is None else early,
    ]
    return "; ".join(part for part in parts if part)


def text_facts(config: Config, prepared: Prepared | None) -> dict[str, Any]:
    """What a strategy may know of the text."""
    name = f"{config.data.name}: {config.data.about}" if config.data.about else config.data.name
    if prepared is None:
        return {"text": name}
    train, scored = prepared.splits["train"], prepared.splits["validation"]
    return {"text": name, "training_tokens": train.tokens, "bytes_per_token": scored.bytes / scored.tokens}


def run_study(config: Config, overrides: Sequence[str]) -> None:
    """Run a study, or what is left of it. `overrides`: the command line, as Hydra takes it.

    Raises UserError; KeyboardInterrupt if it was stopped on request.
    """
    check(config)
    console = Console()
    plain = PlainDisplay(console)
    folder = STUDIES / identity(config)
    prepared = prepare_data(config, plain.say, text_of(folder))
    check_store(config.tracking.uri)
    # With the journal there is a study.
    with place_of(config).open(config, prepared, folder) as place, Journal(folder, plain.say) as journal:
        stock, begins, reads = stock_of(config), not journal.entries, reads_for(config)
        strategy = make_strategy(config, stock.text, folder, plain.say, reads=reads)
        if begins and isinstance(strategy, NeedsServer):
            strategy.check_server()  # before anything is recorded, so errors can still be fixed
        opening = Opening(stock, prepared.fingerprint, place.sandbox, overrides, reads.record)
        header = open_study(config, opening, journal)
        publisher = MlflowPublisher(config.tracking.uri, journal, plain.say)
        scores = partial(control_scores, folder.parents[1], header["task_fingerprint"], header["stock"])
        plain.say(greeting(config, folder, header, scores(plain.say)))
        if begins and (constants := set_by_task(config)) is not None:
            plain.say(constants)
        if place.remark:
            plain.say(place.remark)
        begun = journal.schedule.next
        over = complete(journal, config.study)

        def run(display: Display, stop: Callable[[], bool]) -> str:
            if over is not None:
                return over
            going_on = make_strategy(config, stock.text, journal.folder, display.say, stop, begun, prepared, reads)
            study = _study(config, going_on, journal, stock.text, scores)
            return drive(study, place.start(display.progress, display.say), display, publisher, stop)

        def summarise(entries: Sequence[Entry]) -> str:
            return escape(summary(identity(config), entries))

        def foresee(entries: Sequence[Entry]) -> str | None:
            return expected_end(config.study, config.task.budget, entries, datetime.now())

        stopped = conduct(journal, publisher, console, config.study.trials, run, summarise, foresee)
        if in_worker():
            end_study(row_of(identity(config), journal.entries), where(publisher))
        else:
            say_where(plain, publisher)
    finish(stopped, publisher, config.tracking.uri, folder)


def _study(config: Config, strategy: Strategy, journal: Journal, stock: str, scores: Callable[[], Sequence[float]]) -> Study:
    """`scores`: of the experiment's control, as they are now."""
    return Study(
        strategy=strategy,
        journal=journal,
        budget=Budget(config.study),
        stock=stock,
        search_seed=config.seed,
        audit_share=config.task.audit_share,
        noise_floor=lambda: noise_of(scores()),
        parallel=config.study.parallel,
        ahead=config.study.ahead,
        prune=None if config.study.prune is None else Policy(config.study.prune, config.task.budget),
    )


def greeting(config: Config, folder: Path, header: dict[str, Any], control: Sequence[float]) -> str:
    """What a study says when it begins. `control`: the scores of the experiment's control so far."""
    noise = noise_of(control)
    floor = f"not known yet; it needs {many(FEWEST - len(control), 'more trial')} of strategy=seeds (they may still come)"
    if noise is not None:
        floor = f"standard deviation {noise.sd:.4f} over {noise.trials} trials"
    asked = {key: (node["name"], node.get("about")) for key, node in llms_of(config.strategy).items()}
    if "coder" in config.strategy_settings:
        asked["coder"] = config.coder.name, config.coder.about
    remark = "".join(f"{key}={name}: {about}\n" for key, (name, about) in asked.items() if about)
    batch = batch_of(header)
    remark += f"{batch}\n" if batch else ""
    return (
        f"study {identity(config)}: {budget_in_words(config.task.budget)} a trial, text {config.data.name}\n{remark}"
        f"noise floor of the experiment's control: {floor}\n"
        f"sandbox: {header['sandbox']}{UNPROTECTED if header['sandbox'] == 'none' else ''}\n"
        f"journal: {folder}"
    )
