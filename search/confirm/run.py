"""Plans a confirmation from the studies' journals, and says what to train; it is published like a study."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from search.config.commands import ConfirmConfig
from search.config.files import unwritable, write_whole
from search.config.messages import UserError
from search.config.places import STUDIES
from search.config.schema import Config, StudyConfig, restored
from search.confirm.plan import STOCK, Arms, Plan, StudyRecord, check_comparable, report, screening
from search.confirm.repeats import Repeats
from search.data.tokens import prepare_data
from search.executor.local import make_runner
from search.runner.trial_runner import TrialRunner, check_task
from search.study.budget import Budget
from search.study.identity import Opening, Stock, harness_hash, open_study, task_facts
from search.study.journal import ATTACHMENTS, FILE, Entry, Journal
from search.study.seeds import confirmation_seed
from search.study.study import Display, Study
from search.study.trial import Candidate, Status, Trial
from search.tracking.publisher import MlflowPublisher
from search.tracking.store import check_store

CONFIRMATION = "confirmation"  # its folder beside the strategies', and its strategy's name
REPEATS = 5  # of a first confirmation that is not told how many; the least that a contrast is stated from
SCREENING_REPEATS = 3
PLANNED = "planned"  # the kind of a journal's line that holds a plan


@dataclass(frozen=True)
class Stage:
    """What is trained next. `trials`: how many the journal will then hold. `make`: as `console.conduct` takes it."""

    trials: int
    make: Callable[[Display, Callable[[], bool]], Study]


@contextmanager
def open_confirmation(asked: ConfirmConfig, say: Callable[[str], None]) -> Iterator[Confirmation]:
    """The confirmation that is asked for, with its journal and the studies' held open. Raises UserError."""
    folder = _task_folder(asked)
    with ExitStack() as stack:
        studies = _read_studies(folder, say, stack)
        check_comparable(studies)
        journal = stack.enter_context(Journal(folder / CONFIRMATION / "0", say))
        begun = studies[0].config if journal.header is None else restored(journal.header["config"])
        config = _config(begun, asked)
        check_task(config.task)
        prepared = prepare_data(config, say, studies[0].header["task"]["text_and_tokenizer"])
        _check_text(studies[0], task_facts(config.task, prepared.fingerprint))
        check_store(config.tracking.uri)
        runner = stack.enter_context(closing(make_runner(config, prepared, journal.folder, confirming=True)))
        opening = Opening(Stock(studies[0].stock), prepared.fingerprint, runner.sandbox.name, role=CONFIRMATION)
        open_study(config, opening, journal)
        for study in studies:
            if study.header["harness"] != harness_hash():
                say(f"note: this version of fairtrial is not the one that ran {study.identity}")
        publisher = MlflowPublisher(config.tracking.uri, journal, say)
        yield Confirmation(asked, config, journal, studies, runner, publisher, say)


class Confirmation:
    """One start of one confirmation."""

    def __init__(
        self,
        asked: ConfirmConfig,
        config: Config,
        journal: Journal,
        studies: Sequence[StudyRecord],
        runner: TrialRunner,
        publisher: MlflowPublisher,
        say: Callable[[str], None],
    ) -> None:
        self.asked, self.config, self.journal, self.say = asked, config, journal, say
        self.runner, self.publisher = runner, publisher
        self.studies = studies
        self.arms = Arms()
        self.arms.add(STOCK, studies[0].stock)
        self.plans: list[Plan] = []
        for line in (line for line in journal.lines if line["kind"] == PLANNED):
            for name, digest in line["sources"].items():
                self.arms.add(name, journal.text(digest))
            self.plans.append(Plan(**line["plan"]))

    def stages(self) -> Iterator[Stage]:
        """What to train, one stage after the other; each is planned when the one before it is done."""
        repeats = self._repeats(self.asked.repeats)
        if self.asked.top > 1:
            self._plan(screening(self.studies, self.arms, SCREENING_REPEATS, self.asked.top))
            yield self._stage()
        self._plan(report(self.studies, self.arms, repeats, self.asked.top, self._screened()))
        yield self._stage()

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

    def _stage(self) -> Stage:
        """What is planned and missing."""
        strategy = Repeats(self.plans, self.arms.texts)
        wanted = len(strategy.wanted())
        self._say_cost(wanted - len(self.journal.entries))

        def make(display: Display, stop: Callable[[], bool]) -> Study:
            return Study(
                strategy=strategy,
                runner=self.runner,
                journal=self.journal,
                publisher=self.publisher,
                display=display,
                budget=Budget(StudyConfig(trials=wanted)),
                stock=self.studies[0].stock,
                search_seed=0,
                audit_share=1.0,
                seed_of=confirmation_seed,
                stock_facts={"arm": STOCK, "stage": "report"},
                stop=stop,
            )

        return Stage(wanted, make)

    def _say_cost(self, missing: int) -> None:
        stocks = [study.ranked for study in self.studies]
        seconds = [sum(trial.outcome.seconds.values()) for ranked in stocks for trial in ranked]
        hours = missing * statistics.mean(seconds) / 3600
        arms = self.plans[-1].arms
        self.say(
            f"{self.plans[-1].stage}: {missing} training runs, about {hours:.2f} hours ({len(arms)} programs, "
            f"{self.plans[-1].repeats} repeats each; the order is every program once, then again)"
        )
        for name in arms:
            self.say(f"  {name}")

    def _screened(self) -> dict[str, float]:
        """Mean validation score of each screened arm that has one."""
        scores: dict[str, list[float]] = {}
        for trial in (entry.trial for entry in self.journal.entries):
            if _counts(trial) and trial.answer.facts["stage"] == "screening":
                assert trial.val_bpb is not None
                scores.setdefault(trial.answer.facts["arm"], []).append(trial.val_bpb)
        return {arm: statistics.mean(values) for arm, values in scores.items()}


def reported(entries: Sequence[Entry]) -> dict[str, list[Trial]]:
    """The trials of the report that have a score, by arm."""
    found: dict[str, list[Trial]] = {}
    for trial in (entry.trial for entry in entries):
        if _counts(trial) and trial.answer.facts["stage"] == "report":
            found.setdefault(trial.answer.facts["arm"], []).append(trial)
    return found


def _counts(trial: Trial) -> bool:
    """Whether it has a score that may be believed."""
    return trial.status is Status.COMPLETED and trial.outcome.audited


def _task_folder(asked: ConfirmConfig) -> Path:
    experiment = STUDIES / asked.experiment
    tasks = sorted(path.name for path in experiment.iterdir() if path.is_dir()) if experiment.is_dir() else []
    if not tasks:
        raise UserError(
            f"experiment={asked.experiment}: has no studies in {STUDIES}; run some first: "
            f"python -m search -m strategy=seeds,optuna,agent experiment={asked.experiment}"
        )
    if asked.task is None and len(tasks) > 1:
        raise UserError(f"experiment={asked.experiment}: has several tasks; choose one: task={' or task='.join(tasks)}")
    if asked.task is not None and asked.task not in tasks:
        raise UserError(f"task={asked.task}: the experiment has no studies of it; choose task={' or task='.join(tasks)}")
    return experiment / (asked.task or tasks[0])


def _read_studies(folder: Path, say: Callable[[str], None], stack: ExitStack) -> list[StudyRecord]:
    """All studies of the task; their journals stay locked, so that none changes meanwhile. Raises UserError."""
    paths = [path.parent for path in sorted(folder.glob(f"*/*/{FILE}")) if path.parent.parent.name != CONFIRMATION]
    journals = [stack.enter_context(Journal(path, say)) for path in paths]
    begun = [journal for journal in journals if journal.header is not None]
    if not begun:
        raise UserError(f"{folder}: holds no study; run one first")
    return [_finished(journal) for journal in begun]


def _finished(journal: Journal) -> StudyRecord:
    assert journal.header is not None
    try:
        config = restored(journal.header["config"])
    except UserError as error:
        raise UserError(
            f"{journal.folder}: was made by another version of fairtrial ({error}).\n"
            "Move that folder away, or use that version"
        ) from error
    return StudyRecord.read(journal, config)


def _config(base: Config, asked: ConfirmConfig) -> Config:
    """The studies' configuration, with a strategy that confirms."""
    return replace(
        base,
        seed=0,
        start=STOCK,
        strategy={"_target_": f"{Repeats.__module__}.{Repeats.__qualname__}", "name": CONFIRMATION},
        study=StudyConfig(),
        cache=asked.cache or base.cache,
        sandbox=asked.sandbox or base.sandbox,
        tracking=replace(base.tracking, uri=asked.tracking.uri or base.tracking.uri),
    )


def _check_text(study: StudyRecord, now: dict[str, object]) -> None:
    then = study.header["task"]
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            raise UserError(
                f"{study.identity}: was run with {name}={then.get(name)}, and here it is {now.get(name)}: such scores are "
                "never compared.\nConfirm with the text and settings of the studies"
            )
