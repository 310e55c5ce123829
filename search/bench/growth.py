"""Measures what the harness's own work costs in a long study, per trial and to resume it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from search.bench import journals
from search.config.schema import Config
from search.executor.drive import drive
from search.study.journal import Entry, Journal
from search.testing.synthetic import Nowhere, Silent

LENGTHS = (10, 1_000, 10_000)  # trials
NEW = 20  # more of them, timed


class Timed(Silent):
    """Notes the processor time when the first trial is asked for, and at the end of each."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def asking(self, number: int, spent: str) -> None:
        self.moments = self.moments or [time.process_time()]

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        self.moments.append(time.process_time())


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time: to `read` a journal, to `replay` it, and per new `trial`, with nothing trained or
    published."""

    read: float
    replay: float
    trial: float


def cost(stock: str, trials: int) -> Cost:
    """Of a study that has so many trials."""
    with tempfile.TemporaryDirectory() as folder:
        journals.write(Path(folder), stock, trials)
        began = time.process_time()
        with Journal(Path(folder), print) as journal:
            read = time.process_time()
            display = Timed()
            drive(journals.study_of(journal, stock, trials + NEW), journals.Instant(), display, Nowhere())
    replayed, moments = display.moments[0], display.moments[1:]
    return Cost(read - began, replayed - read, median(later - earlier for earlier, later in pairwise(moments)))


def tables(config: Config) -> Iterator[str]:
    """A study of the start file, at several lengths."""
    yield "Seconds of processor time of the study's loop, without training and publishing.\n"
    yield "| trials so far | of a trial | against the first row | to read the journal | to replay it |"
    yield "|---|---|---|---|---|"
    first: float | None = None
    for trials in LENGTHS:
        found = cost(config.start_file.read_text(encoding="utf-8"), trials)
        first = first or found.trial
        yield f"| {trials:,} | {found.trial:.4f} | {found.trial / first:.2f} | {found.read:.2f} | {found.replay:.2f} |"
