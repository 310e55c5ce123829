"""The stock and each study's winner from an experiment's confirmation, as they are trained on another task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.config.commands import OTHER_TEXT, ConfirmConfig
from search.config.messages import UserError, command
from search.config.schema import BudgetConfig, TaskConfig
from search.confirm.plan import REPORT, Plan
from search.confirm.planned import Planned
from search.confirm.studies import CONFIRMATION, StudyRecord, check_comparable, read_studies, task_folder
from search.study import source
from search.study.identity import task_facts
from search.study.journal import Entry, Journal
from search.transfer.scale import HardCoded, Scale


@dataclass(frozen=True)
class Confirmed:
    """`studies`: all of the task, whole. `winners`: the confirmed trials by their study's identity. `plans`, `entries`: the
    confirmation's, of its report."""

    folder: Path
    studies: tuple[StudyRecord, ...]
    header: Mapping[str, Any]
    plans: tuple[Plan, ...]
    entries: tuple[Entry, ...]

    @property
    def winners(self) -> dict[str, Entry]:
        chosen = {name: study["winner"]["trial"] for plan in self.plans for name, study in plan.studies.items()}
        entries = {study.identity: {entry.number: entry for entry in study.entries} for study in self.studies}
        return {name: entries[name][trial] for name, trial in chosen.items() if trial in entries.get(name, {})}


def read_confirmed(asked: ConfirmConfig, say: Callable[[str], None]) -> Confirmed:
    """Raises UserError, also if nothing is confirmed yet: there is then no gain of which a share could be left."""
    folder = task_folder(asked)
    studies = read_studies(folder, say)
    check_comparable(studies)
    place = folder / CONFIRMATION / "0"
    if place.is_dir():
        with Journal(place, say) as journal:
            planned = Planned(journal, studies[0].stock)
            if journal.header is not None and planned.of(REPORT):
                return Confirmed(folder, tuple(studies), journal.header, tuple(planned.of(REPORT)), tuple(journal.entries))
    raise UserError(
        f"experiment={asked.experiment}: is not confirmed, and only confirmed gains can be transferred.\n"
        f"Confirm it first: {command('search.confirm', f'experiment={asked.experiment}')}"
    )


def rescaled(confirmed: Confirmed, scale: Scale, task: TaskConfig) -> tuple[list[StudyRecord], dict[str, str]]:
    """The studies with their stock and confirmed winner alone, as programs of the other task; and what is wrong with those
    winners that cannot be such a program, by study. `task`: the first one. Raises UserError if the stock cannot, or where
    no winner can."""
    studies, refused = [], {}
    try:
        stock = scale.program(confirmed.studies[0].stock, task.device)
    except HardCoded as error:
        raise UserError(f"scale={scale.kind}: the stock {error}; choose another scale=") from error
    values = source.constants(stock)
    other = scale.task(replace(task, constants={name: values.get(name, value) for name, value in task.constants.items()}))
    for study in confirmed.studies:
        winner = confirmed.winners.get(study.identity)
        if winner is None:
            continue
        try:
            studies.append(_rescaled(study, winner, scale, task, other))
        except HardCoded as error:
            refused[study.identity] = str(error)
    if not studies:
        raise UserError(f"scale={scale.kind}: no winner can be scaled: {'; '.join(refused.values())}")
    return studies, refused


def _rescaled(study: StudyRecord, winner: Entry, scale: Scale, task: TaskConfig, other: TaskConfig) -> StudyRecord:
    text = None if scale.kind == OTHER_TEXT else study.header["task"]["text_and_tokenizer"]
    header = {**study.header, "task": {**task_facts(other, ""), "text_and_tokenizer": text}}
    kept = [study.entries[0], *([winner] if winner.number != study.entries[0].number else [])]
    entries = tuple(_entry(entry, scale, task.device, task.budget) for entry in kept)
    data = study.config.data if scale.data is None else scale.data
    return StudyRecord(study.identity, replace(study.config, task=other, data=data), header, entries)


def _entry(entry: Entry, scale: Scale, device: str, budget: BudgetConfig) -> Entry:
    """A trial with its program as it is elsewhere, and with the seconds that are to be expected there."""
    candidate, outcome = entry.trial.candidate, entry.trial.outcome
    assert candidate is not None
    seconds = {phase: scale.seconds(phase, took, budget) for phase, took in outcome.seconds.items()}
    trial = replace(
        entry.trial,
        answer=replace(candidate, source=scale.program(candidate.source, device)),
        outcome=replace(outcome, seconds=seconds),
    )
    return replace(entry, trial=trial, verdict=replace(entry.verdict, kept=True))
