"""Reads the studies that are confirmed from their journals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.commands import ConfirmConfig
from search.config.messages import UserError, command
from search.config.places import STUDIES
from search.config.schema import Config, restored
from search.study import source
from search.study.journal import FILE, Entry, Journal
from search.study.noise_floor import is_control
from search.study.trial import Origin
from search.study.winner import finalists, winner_at

CONFIRMATION = "confirmation"  # its folder beside the strategies', and its strategy's name
CHANGED = "+"  # in the name of a task that was changed to test transfer; no other task's name has it


@dataclass(frozen=True)
class StudyRecord:
    """A study: its settings, its journal's first line, and its trials in their order."""

    identity: str
    config: Config
    header: Mapping[str, Any]
    entries: tuple[Entry, ...]

    @property
    def label(self) -> str:
        return f"{self.header['strategy']}, search seed {self.config.seed}"

    @property
    def is_control(self) -> bool:
        return is_control(self.header)

    @property
    def stock(self) -> str:
        """The text that it began with; empty if it has not begun."""
        return text_of(self.entries[0]) if self.entries else ""

    @property
    def trials(self) -> int:
        """The number of trials without anchors."""
        return sum(entry.origin is not Origin.ANCHOR for entry in self.entries)

    def finalists(self, top: int) -> list[Entry]:
        """Returns the winner and the next best, at most `top` different programs."""
        found: dict[str, Entry] = {}
        for entry in finalists(self.entries):
            found.setdefault(source.program_hash(text_of(entry)), entry)
        return list(found.values())[:top]

    def at(self, budget: int) -> Entry | None:
        """Returns the winner as of that many trials."""
        return winner_at(self.entries, budget)


def text_of(entry: Entry) -> str:
    """Returns the program of a trial that has one."""
    assert entry.trial.candidate is not None
    return entry.trial.candidate.source


def task_folder(asked: ConfirmConfig) -> Path:
    """Returns the folder of the studies. Raises UserError."""
    experiment = STUDIES / asked.experiment
    folders = experiment.iterdir() if experiment.is_dir() else ()
    tasks = sorted(path.name for path in folders if path.is_dir() and CHANGED not in path.name)
    if not tasks:
        raise UserError(
            f"experiment={asked.experiment}: has no studies in {STUDIES}; run some first: "
            + command("search", "-m", "strategy=seeds,optuna,agent", f"experiment={asked.experiment}")
        )
    if asked.task is None and len(tasks) > 1:
        raise UserError(f"experiment={asked.experiment}: has several tasks; give task={' or task='.join(tasks)}")
    if asked.task is not None and asked.task not in tasks:
        raise UserError(f"task={asked.task}: the experiment has no studies of it; give task={' or task='.join(tasks)}")
    return experiment / (asked.task or tasks[0])


def read_studies(folder: Path, say: Callable[[str], None]) -> list[StudyRecord]:
    """Returns all studies of the task, as they are now. A study that continues later does not change what was planned from
    it. Raises UserError, also if one of them is running.
    """
    paths = [path.parent for path in sorted(folder.glob(f"*/*/{FILE}")) if path.parent.parent.name != CONFIRMATION]
    found = [record for record in (_read(path, say) for path in paths) if record is not None]
    if not found:
        raise UserError(f"{folder}: has no study; run one first")
    return found


def check_comparable(studies: Sequence[StudyRecord]) -> None:
    """Raises UserError if the studies are of different tasks or stocks, or if one has nothing to confirm."""
    first = studies[0]
    for study in studies:
        for name in sorted({*first.header["task"], *study.header["task"]}):  # what is not set may be left out
            before, after = first.header["task"].get(name), study.header["task"].get(name)
            if before != after:
                raise UserError(
                    f"{study.identity}: its task has {name}={after}, but that of {first.identity} has {name}={before}. Such "
                    "scores are never compared.\nMove one of them to another experiment"
                )
        if study.header["stock"] != first.header["stock"]:
            raise UserError(
                f"{study.identity}: starts from another program (start={study.config.start}, or GPUs of another size) than "
                f"{first.identity}.\n"
                "Move one of them to another experiment"
            )
        if not study.finalists(1):
            raise UserError(f"{study.identity}: has not kept a trial with a score yet; let it run, or move its folder away")


def check_text(study: StudyRecord, now: Mapping[str, object]) -> None:
    """Raises UserError if the task has changed since the studies ran. `now`: its facts."""
    then = study.header["task"]
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            raise UserError(
                f"{study.identity}: was run with {name}={then.get(name)}, but here it is {now.get(name)}. Such scores are "
                "never compared.\nConfirm with the text and settings of the studies"
            )


def _read(folder: Path, say: Callable[[str], None]) -> StudyRecord | None:
    """Reads the study of a folder, whose journal is held only meanwhile; None if it has not begun."""
    with Journal(folder, say) as journal:
        header = journal.header
    if header is None:
        return None
    try:
        config = restored(header["config"])
    except UserError as error:
        raise UserError(
            f"{folder}: was made by another version of fairtrial ({error}).\nMove that folder away, or use that version"
        ) from error
    entries = sorted(journal.entries, key=lambda entry: entry.number)
    return StudyRecord(header["identity"], config, header, tuple(entries))
