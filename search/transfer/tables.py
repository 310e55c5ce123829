"""The confirmed winners on two tasks, as the tables that a comparison starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.compare.read import parse
from search.compare.read.tables import ConfirmationTable, Experiment, StudyTable
from search.config.schema import TaskConfig
from search.confirm.plan import Plan
from search.confirm.studies import StudyRecord
from search.study.journal import Entry
from search.tracking.trial_row import row
from search.transfer.origin import Confirmed

Header = Mapping[str, Any]


def first_task(confirmed: Confirmed) -> Experiment:
    """The experiment as it was confirmed; of each study but the control only its stock and its confirmed winner."""
    studies = [_study(study, confirmed.winners.get(study.identity)) for study in confirmed.studies]
    task = confirmed.studies[0].config.task
    table = _confirmation(confirmed.header, confirmed.plans, confirmed.entries, task)
    return Experiment(
        name=confirmed.studies[0].config.experiment,
        task=task.name,
        task_facts=dict(confirmed.header["task"]),
        task_fingerprint=confirmed.header["task_fingerprint"],
        studies=tuple(sorted(studies, key=lambda study: study.identity)),
        confirmation=table,
    )


def other_task(
    first: Experiment, header: Header, plans: Sequence[Plan], entries: Sequence[Entry], task: TaskConfig
) -> Experiment:
    """The same studies, with what their winners are worth on the other task."""
    return replace(
        first,
        task=task.name,
        task_facts=dict(header["task"]),
        task_fingerprint=header["task_fingerprint"],
        confirmation=_confirmation(header, plans, entries, task),
    )


def _study(study: StudyRecord, winner: Entry | None) -> StudyTable:
    numbers = {0} if winner is None else {0, winner.number}
    entries = [entry for entry in study.entries if study.is_control or entry.number in numbers]
    return parse.study_table(study.header, _rows(entries, study.entries[0], study.config.task))


def _confirmation(header: Header, plans: Sequence[Plan], entries: Sequence[Entry], task: TaskConfig) -> ConfirmationTable:
    records = [plan.record() for plan in plans]
    return parse.confirmation_table(header, _rows(entries, entries[0], task) if entries else [], records)


def _rows(entries: Iterable[Entry], stock: Entry, task: TaskConfig) -> list[dict[str, Any]]:
    return [row(entry, None, stock.trial, task) for entry in entries]
