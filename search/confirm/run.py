"""Plans a confirmation from the studies' journals, and trains what it plans. It is published like a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from search.config.commands import ConfirmConfig
from search.config.messages import UserError
from search.config.schema import Config, StudyConfig, restored
from search.config.secrets import HIDDEN
from search.confirm.announce import announcement, left_in, looks, unplanned
from search.confirm.blocks import FIRST, Blocks, seed_of
from search.confirm.plan import REPORT, STOCK, Plan, check_budgets, check_worthwhile, report, screening
from search.confirm.planned import Planned
from search.confirm.results import screened
from search.confirm.settings import Settings
from search.confirm.studies import CONFIRMATION, StudyRecord, check_comparable, check_text, read_studies, task_folder
from search.data.tokens import prepare_data
from search.executor.drive import Display, drive
from search.executor.local import LocalExecutor, make_runner
from search.runner.trial_runner import TrialRunner, check_task
from search.study.budget import Budget
from search.study.code import harness_hash
from search.study.identity import Opening, Stock, open_study, task_facts
from search.study.journal import Journal
from search.study.study import Study
from search.tracking.publisher import MlflowPublisher
from search.tracking.store import check_store


@dataclass(frozen=True)
class Stage:
    """What is trained next. `trials`: how many the journal will then hold. `run`: as `console.conduct` takes it."""

    trials: int
    run: Callable[[Display, Callable[[], bool]], str]


@dataclass(frozen=True)
class Ground:
    """Where and how programs are trained again. `folder`: of the task, which holds the journal. `config`: of a first start.
    `role`: of the journal and of what is published. `seeds`: as `blocks.seed_of` takes it."""

    folder: Path
    config: Config
    role: str = CONFIRMATION
    seeds: int = 0


@contextmanager
def open_confirmation(asked: ConfirmConfig, say: Callable[[str], None]) -> Iterator[Confirmation]:
    """Yields the confirmation that is asked for, with its journal held open. The studies' journals are only read: a study
    may continue meanwhile, and does not change what is planned. Raises UserError."""
    folder = task_folder(asked)
    studies = read_studies(folder, say)
    check_comparable(studies)
    with open_on(Ground(folder, studies[0].config), studies, asked, say) as confirmation:
        yield confirmation


@contextmanager
def open_on(
    ground: Ground, studies: Sequence[StudyRecord], asked: ConfirmConfig, say: Callable[[str], None]
) -> Iterator[Confirmation]:
    """Does the same for any studies on any ground. Raises UserError."""
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(ground.folder / ground.role / "0", say))
        begun = ground.config if journal.header is None else restored(journal.header["config"])
        config = _config(begun, ground.role, asked)
        planned = Planned(journal, studies[0].stock)
        settings = planned.settings(asked, config.task.budget)
        check_budgets(studies, asked.at or ())
        check_worthwhile(studies, settings)
        check_task(config.task)
        wanted = studies[0].header["task"] if journal.header is None else journal.header["task"]
        prepared = prepare_data(config, say, wanted["text_and_tokenizer"])
        if studies[0].header["task"]["text_and_tokenizer"] is not None:
            check_text(studies[0], task_facts(config.task, prepared.fingerprint))
        check_store(config.tracking.uri)
        runner = stack.enter_context(closing(make_runner(config, prepared, journal.folder, confirming=True)))
        opening = Opening(Stock(studies[0].stock), prepared.fingerprint, runner.sandbox.name, role=ground.role)
        open_study(config, opening, journal)
        for study in studies:
            if study.header["harness"] != harness_hash():
                say(f"note: this version of fairtrial is not the one that ran {study.identity}")
        publisher = MlflowPublisher(config.tracking.uri, journal, say)
        yield Confirmation(settings, config, planned, studies, runner, publisher, say, ground.seeds)


@dataclass
class Confirmation:
    """One start of one confirmation."""

    settings: Settings
    config: Config
    planned: Planned
    studies: Sequence[StudyRecord]
    runner: TrialRunner
    publisher: MlflowPublisher
    say: Callable[[str], None]
    seeds: int = 0

    @property
    def journal(self) -> Journal:
        return self.planned.journal

    def stages(self) -> Iterator[Stage]:
        """Yields what to train, one stage after the other. Each is planned when the one before it has been trained."""
        arms = self.planned.arms
        if self.settings.top > 1:
            plan = screening(self.studies, arms, self.settings)
            self.planned.add(plan)
            yield self._stage(plan)
        plan = report(self.studies, arms, self.settings, screened(self.journal.entries))
        new = self.planned.add(plan)
        before, now = (looks(plans) for plans in (self.planned.of(REPORT)[:-1], self.planned.of(REPORT)))
        warning = unplanned(plan, now)
        if new and now > before and warning is not None:
            self.say(warning)
        for line in left_in(plan):
            self.say(line)
        yield self._stage(plan)

    def _stage(self, plan: Plan) -> Stage:
        """Returns the stage of what is planned and missing."""
        strategy = Blocks(self.planned.plans, self.planned.arms.texts)
        for line in announcement(plan, strategy.runs[len(self.journal.entries) :], self.studies):
            self.say(line)

        def run(display: Display, stop: Callable[[], bool]) -> str:
            study = Study(
                strategy=strategy,
                journal=self.journal,
                budget=Budget(StudyConfig(trials=len(strategy.runs))),
                stock=self.studies[0].stock,
                search_seed=0,
                audit_share=1.0,
                seed_of=lambda _, replicate: seed_of(replicate, self.seeds),
                stock_facts=FIRST.facts,
            )
            return drive(study, LocalExecutor(self.runner, 1, display.progress), display, self.publisher, stop)

        return Stage(len(strategy.runs), run)


def _config(base: Config, role: str, asked: ConfirmConfig) -> Config:
    """Returns the studies' configuration with a strategy that confirms. Raises UserError if a password that it needs is not
    on record."""
    uri = asked.tracking.uri or base.tracking.uri
    if HIDDEN in uri:
        raise UserError(f"tracking.uri={uri}: its password is not on record; give tracking.uri= with the password")
    return replace(
        base,
        seed=0,
        start=STOCK,
        strategy={"_target_": f"{Blocks.__module__}.{Blocks.__qualname__}", "name": role},
        study=StudyConfig(),
        cache=asked.cache or base.cache,
        sandbox=asked.sandbox or base.sandbox,
        accept_harness=asked.accept_harness,
        tracking=replace(base.tracking, uri=uri),
    )
