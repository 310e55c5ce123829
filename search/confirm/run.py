"""Plans a confirmation from the studies' journals, trains what is missing, and publishes it like a study."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.build import conduct, finish, make_runner, prepare_data, say_where
from search.config import Config, StudyConfig, restored
from search.confirm.plan import STOCK, Arms, Finished, Plan, check_comparable, report, screening
from search.confirm.strategy import Confirmation
from search.errors import UserError
from search.files import unwritable, write_whole
from search.identity import harness_hash, open_study, task_facts
from search.interrupt import Interrupts
from search.journal import ATTACHMENTS, FILE, Entry, Journal
from search.paths import STUDIES
from search.progress import PlainDisplay
from search.runner.trial_runner import TrialRunner, check_devices
from search.seeds import confirmation_seed
from search.study import Budget, Study
from search.task.tokens import Prepared
from search.tracking.publisher import MlflowPublisher
from search.tracking.store import check_store
from search.trial import Candidate, Status, Trial

CONFIRMATION = "confirmation"  # its folder beside the strategies', and its strategy's name
REPEATS = 5  # of a first confirmation that is not told how many; the least that a contrast is stated from
SCREENING_REPEATS = 3
PLANNED = "planned"  # the kind of a journal's line that holds a plan


@dataclass(frozen=True)
class Wish:
    """What the user asked for. `repeats`: None for the number that the first confirmation fixed."""

    experiment: str
    task: str | None
    repeats: int | None
    top: int
    cache: str | None
    sandbox: str | None
    uri: str | None


def confirm(wish: Wish) -> None:
    """Raises UserError; KeyboardInterrupt where it was stopped on request."""
    console = Console()
    plain = PlainDisplay(console)
    folder = _task_folder(wish)
    with ExitStack() as stack:
        studies = _read_studies(folder, plain, stack)
        check_comparable(studies)
        journal = stack.enter_context(Journal(folder / CONFIRMATION / "0", plain.say))
        begun = studies[0].config if journal.header is None else restored(journal.header["config"])
        config = _config(begun, wish)
        check_devices(config.task)
        prepared = prepare_data(config, plain.say)
        _check_text(studies[0], task_facts(config.task, prepared))
        check_store(config.tracking.uri)
        open_study(config, studies[0].stock, journal, prepared, CONFIRMATION)
        for study in studies:
            if study.header["harness"] != harness_hash():
                plain.say(f"note: this version of fairtrial is not the one that ran {study.identity}")
        stopped, publisher = _Session(config, prepared, journal, studies, console).run(wish)
        say_where(plain, publisher)
        plain.say(f"compare: python -m search.compare experiment={wish.experiment}")
    finish(stopped, publisher, config.tracking.uri, journal.folder)


class _Session:
    """One start of one confirmation."""

    def __init__(
        self, config: Config, prepared: Prepared, journal: Journal, studies: Sequence[Finished], console: Console
    ) -> None:
        self.config, self.prepared, self.journal, self.console = config, prepared, journal, console
        self.studies = studies
        self.display = PlainDisplay(console)
        self.arms = Arms()
        self.arms.add(STOCK, studies[0].stock)
        self.plans: list[Plan] = []
        for line in (line for line in journal.lines if line["kind"] == PLANNED):
            for name, digest in line["sources"].items():
                self.arms.add(name, journal.text(digest))
            self.plans.append(Plan(**line["plan"]))

    def run(self, wish: Wish) -> tuple[bool, MlflowPublisher]:
        """Returns whether it was stopped on request."""
        repeats = self._repeats(wish.repeats)
        publisher = MlflowPublisher(self.config.tracking.uri, self.journal, self.display.say)
        work = self.journal.folder
        runner = make_runner(self.config, self.prepared, work / "work", work / "stock_nats.npy", confirming=True)
        with closing(runner):
            if wish.top > 1:
                self._plan(screening(self.studies, self.arms, SCREENING_REPEATS, wish.top))
                if self._train(runner, publisher):
                    return True, publisher
            self._plan(report(self.studies, self.arms, repeats, wish.top, self._screened()))
            return self._train(runner, publisher), publisher

    def _repeats(self, wanted: int | None) -> int:
        """The planned number is fixed at the first confirmation; more are a later look, which the report counts."""
        planned = [plan.repeats for plan in self.plans if plan.stage == "report"]
        if not planned:
            return wanted or REPEATS
        if wanted is not None and wanted < planned[-1]:
            raise UserError(
                f"repeats={wanted}: this confirmation was planned with {planned[-1]}, and a plan that is cut short chooses "
                f"its result.\nGive repeats={planned[-1]} or more"
            )
        return wanted or planned[-1]

    def _plan(self, plan: Plan) -> None:
        """Write a plan down, unless it is the last one of its stage again; and keep what the report needs to know."""
        same = [known for known in self.plans if known.stage == plan.stage]
        if not same or same[-1] != plan:
            sources = {}
            for name in plan.arms:
                candidate = Candidate(self.arms.texts[name])
                self.journal.store(candidate)
                sources[name] = candidate.source_hash
            self.journal.append(PLANNED, durable=True, plan=plan.record(), sources=sources)
            self.plans.append(plan)
        lines = [line for line in self.journal.lines if line["kind"] == PLANNED and line["plan"]["stage"] == "report"]
        records = [{"time": line["time"], **line["plan"]} for line in lines]
        path = self.journal.folder / ATTACHMENTS / "plans.json"
        try:
            path.parent.mkdir(exist_ok=True)
            write_whole(path, json.dumps(records, indent=1).encode())
        except OSError as error:
            raise unwritable(path, error) from error

    def _train(self, runner: TrialRunner, publisher: MlflowPublisher) -> bool:
        """Train what is planned and missing. Returns whether it was stopped on request."""
        strategy = Confirmation(self.plans, self.arms.texts)
        wanted = len(strategy.wanted())
        self._say_cost(wanted - len(self.journal.entries))

        def make(display: PlainDisplay, interrupts: Interrupts) -> Study:
            return Study(
                strategy=strategy,
                runner=runner,
                journal=self.journal,
                publisher=publisher,
                display=display,
                budget=Budget(StudyConfig(trials=wanted)),
                stock=self.studies[0].stock,
                search_seed=0,
                audit_share=1.0,
                seed_of=confirmation_seed,
                stock_facts={"arm": STOCK, "stage": "report"},
                stop=lambda: interrupts.requested,
            )

        return conduct(self.journal, publisher, self.console, wanted, make, summary)

    def _say_cost(self, missing: int) -> None:
        stocks = [study.ranked for study in self.studies]
        seconds = [sum(trial.outcome.seconds.values()) for ranked in stocks for trial in ranked]
        hours = missing * statistics.mean(seconds) / 3600
        arms = self.plans[-1].arms
        self.display.say(
            f"{self.plans[-1].stage}: {missing} trainings, about {hours:.2f} hours ({len(arms)} programs, "
            f"{self.plans[-1].repeats} repeats each; the order is every program once, then again)"
        )
        for name in arms:
            self.display.say(f"  {name}")

    def _screened(self) -> dict[str, float]:
        """Mean validation score of each screened arm that has one."""
        scores: dict[str, list[float]] = {}
        for trial in (entry.trial for entry in self.journal.entries):
            if _counts(trial) and trial.answer.facts["stage"] == "screening":
                assert trial.val_bpb is not None
                scores.setdefault(trial.answer.facts["arm"], []).append(trial.val_bpb)
        return {arm: statistics.mean(values) for arm, values in scores.items()}


def summary(entries: Sequence[Entry]) -> Table:
    """The means of the reported repeats, by arm. What they show is for `search.compare` to say."""
    table = Table(title="confirmation: means (val_bpb: validation, confirmation_bpb: unseen text)", title_justify="left")
    for column in ("program", "repeats", "val_bpb", "confirmation_bpb"):
        table.add_column(column, justify="left" if column == "program" else "right")
    reported: dict[str, list[Trial]] = {}
    for trial in (entry.trial for entry in entries):
        if _counts(trial) and trial.answer.facts["stage"] == "report":
            reported.setdefault(trial.answer.facts["arm"], []).append(trial)
    for arm, trials in reported.items():
        seen = statistics.mean(trial.outcome.val_bpb or 0.0 for trial in trials)
        unseen = statistics.mean(trial.outcome.confirmation_bpb or 0.0 for trial in trials)
        table.add_row(escape(arm), str(len(trials)), f"{seen:.4f}", f"{unseen:.4f}")
    return table


def _counts(trial: Trial) -> bool:
    """Whether it has a score that may be believed."""
    return trial.status is Status.COMPLETED and trial.outcome.audited


def _task_folder(wish: Wish) -> Path:
    experiment = STUDIES / wish.experiment
    tasks = sorted(path.name for path in experiment.iterdir() if path.is_dir()) if experiment.is_dir() else []
    if not tasks:
        raise UserError(
            f"experiment={wish.experiment}: has no studies in {STUDIES}; run some first: "
            f"python -m search -m strategy=seeds,optuna,agent experiment={wish.experiment}"
        )
    if wish.task is None and len(tasks) > 1:
        raise UserError(f"experiment={wish.experiment}: has several tasks; choose one: task={' or task='.join(tasks)}")
    if wish.task is not None and wish.task not in tasks:
        raise UserError(f"task={wish.task}: the experiment has no studies of it; choose task={' or task='.join(tasks)}")
    return experiment / (wish.task or tasks[0])


def _read_studies(folder: Path, display: PlainDisplay, stack: ExitStack) -> list[Finished]:
    """All studies of the task; their journals stay locked, so that none changes meanwhile. Raises UserError."""
    paths = [path.parent for path in sorted(folder.glob(f"*/*/{FILE}")) if path.parent.parent.name != CONFIRMATION]
    journals = [stack.enter_context(Journal(path, display.say)) for path in paths]
    begun = [journal for journal in journals if journal.header is not None]
    if not begun:
        raise UserError(f"{folder}: holds no study; run one first")
    return [_finished(journal) for journal in begun]


def _finished(journal: Journal) -> Finished:
    assert journal.header is not None
    try:
        config = restored(journal.header["config"])
    except UserError as error:
        raise UserError(
            f"{journal.folder}: was made by another version of fairtrial ({error}).\n"
            "Move that folder away, or use that version"
        ) from error
    return Finished.read(journal, config)


def _config(base: Config, wish: Wish) -> Config:
    """The studies' configuration, with a strategy that confirms."""
    return replace(
        base,
        seed=0,
        start=STOCK,
        strategy={"_target_": f"{Confirmation.__module__}.{Confirmation.__qualname__}", "name": CONFIRMATION},
        study=StudyConfig(),
        cache=wish.cache or base.cache,
        sandbox=wish.sandbox or base.sandbox,
        tracking=replace(base.tracking, uri=wish.uri or base.tracking.uri),
    )


def _check_text(study: Finished, now: dict[str, object]) -> None:
    then = study.header["task"]
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            raise UserError(
                f"{study.identity}: was run with {name}={then.get(name)}, and here it is {now.get(name)}: such scores are "
                "never compared.\nConfirm with the text and settings of the studies"
            )
