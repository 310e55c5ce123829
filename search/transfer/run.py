"""Opens a transfer: the confirmation's machinery on another task, and its report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.compare.analyse import minima
from search.compare.read.tables import Experiment
from search.config.commands import TransferConfig
from search.config.data_sets import data_named
from search.config.messages import UserError
from search.confirm.plan import REPORT
from search.confirm.run import Confirmation, Ground, open_on
from search.confirm.studies import StudyRecord
from search.study.journal import Journal
from search.transfer.findings import transfer_findings
from search.transfer.origin import Confirmed, read_confirmed, rescaled
from search.transfer.report import Report
from search.transfer.scale import Scale
from search.transfer.tables import first_task, other_task

TRANSFER = "transfer"  # its folder, its strategy's name, and its role in MLflow


@dataclass
class Transfer:
    """One start of one transfer. `confirmation`: what trains its blocks. `refused`: winners that cannot be scaled."""

    asked: TransferConfig
    confirmed: Confirmed
    confirmation: Confirmation
    refused: dict[str, str]

    def report(self) -> Report:
        """What is known by now."""
        first, other = self.tables()
        findings = transfer_findings(first, other, self.refused, self._again())
        return Report(first, other, tuple(findings), self.asked.scale)

    def tables(self) -> tuple[Experiment, Experiment]:
        first, journal = first_task(self.confirmed), self.confirmation.journal
        assert journal.header is not None
        plans, task = self.confirmation.planned.of(REPORT), self.confirmation.config.task
        return first, other_task(first, journal.header, plans, journal.entries, task)

    def _again(self) -> str:
        """The command that adds repeats."""
        asked = self.asked
        words = [f"experiment={asked.experiment}", f"scale={asked.scale}", f"factor={asked.factor:g}"]
        chosen = {"task": asked.task, "data": asked.data, "folder": asked.folder}
        words += [f"{key}={value}" for key, value in chosen.items() if value is not None]
        repeats = max(minima.PROGRAM_REPEATS, self.confirmation.settings.repeats)
        return shlex.join(["python", "-m", "search.transfer", *words, f"repeats={repeats}"])


@contextmanager
def open_transfer(asked: TransferConfig, say: Callable[[str], None]) -> Iterator[Transfer]:
    """The requested transfer, with its journal held open. Raises UserError."""
    confirmed = read_confirmed(asked.confirmation, say)
    begun = confirmed.studies[0].config
    data = None if asked.data is None else data_named(asked.data, asked.cache or begun.cache, asked.folder)
    scale = Scale(asked.scale, asked.factor, data)
    studies, refused = rescaled(confirmed, scale, begun.task)
    for name, why in refused.items():
        say(f"{name}: its winner {why}; it is left out, and the report says so")
    for study in confirmed.studies:
        if study.identity not in confirmed.winners:
            say(f"{study.identity}: its winner is not confirmed yet; it is left out")
    config = studies[0].config
    folder = confirmed.folder.with_name(config.task.name)
    _check_same_text(folder, studies[0], say)
    ground = Ground(folder, config, TRANSFER, scale.seeds)
    with open_on(ground, studies, asked.confirmation, say) as confirmation:
        yield Transfer(asked, confirmed, confirmation, refused)


def _check_same_text(folder: Path, study: StudyRecord, say: Callable[[str], None]) -> None:
    """Raise UserError if a transfer of this name began with text from elsewhere."""
    place = folder / TRANSFER / "0"
    if not place.is_dir():
        return
    with Journal(place, say) as journal:
        began = study.config.data.corpus if journal.header is None else journal.header["config"]["data"]["corpus"]
    if began != study.config.data.corpus:
        raise UserError(f"{place}: this transfer began with other text ({began}).\nUse that text, or move its folder away")
