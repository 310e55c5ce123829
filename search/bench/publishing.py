"""Measures how long publishing to MLflow takes: in a long study, and for eight studies on one store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from search.bench import journals
from search.config.schema import Config, TaskConfig
from search.executor.drive import drive
from search.study.identity import Opening, Stock, open_study
from search.study.journal import Entry, Journal
from search.testing.synthetic import Nowhere, Silent
from search.tracking import trial_row
from search.tracking.artifacts import location_of
from search.tracking.ledger import Ledger
from search.tracking.store import connect, experiment_id, sqlite_uri
from search.tracking.study_run import StudyRun

LENGTHS = (10, 1_000)  # trials that are published already
NEW = 12  # more of them, of which
TIMED = 10  # the last are timed: the first ones find MLflow cold
SIDE_BY_SIDE = 8  # studies on one store


def seconds_per_trial(config: Config, uri: str, folder: Path, trials: int) -> float:
    """Of wall clock, for each new trial of a study that has so many. `folder`: for its journal."""
    stock = config.start_file.read_text(encoding="utf-8")
    journals.write(folder, stock, trials, partial(_begin, config, stock))
    client = connect(uri)
    experiment = experiment_id(client, config.experiment, location_of(uri, config.experiment))
    with Journal(folder, print) as journal:
        _mark(Ledger(folder, StudyRun(client, experiment, journal, print).id), journal.entries, config.task)
        drive(journals.study_of(journal, stock, trials + NEW), journals.Instant(), Silent(), Nowhere())
        published = StudyRun(client, experiment, journal, print)
        spent = [_seconds(published, entry) for entry in journal.entries]
        published.end("FINISHED")
    return median(spent[-TIMED:])


def _begin(config: Config, stock: str, journal: Journal) -> None:
    open_study(config, Opening(Stock(stock), "none", "none"), journal)


def _mark(ledger: Ledger, entries: Sequence[Entry], task: TaskConfig) -> None:
    """As if these were published, with rows like the last one's."""
    row = trial_row.row(entries[-1], None, entries[0].trial, task)
    for entry in entries:
        ledger.keep(entry, {"row": {**row, "number": entry.number, "finished": entry.finished}, "constants": {}})
        ledger.add(entry)


def _seconds(published: StudyRun, entry: Entry) -> float:
    began = time.monotonic()
    published.add(entry)
    return time.monotonic() - began


def _side_by_side(config: Config, folder: Path) -> float:
    """Seconds per trial of a study, while others publish to the same store."""
    uri, shortest = sqlite_uri(folder / "mlflow.db"), LENGTHS[0]
    folders = [folder / f"study-{number}" for number in range(SIDE_BY_SIDE)]
    with ProcessPoolExecutor(SIDE_BY_SIDE, get_context("spawn")) as pool:
        asked = [pool.submit(seconds_per_trial, config, uri, one, shortest) for one in folders]
        return median(future.result() for future in asked)


def tables(config: Config) -> Iterator[str]:
    """A study of the start file, in a database of its own."""
    yield "Seconds of wall clock to publish a trial to an MLflow database, in parallel with the study's loop.\n"
    yield "| studies | trials so far | of a trial | against the first row |"
    yield "|---|---|---|---|"
    first: float | None = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = sqlite_uri(folder / "mlflow.db")
        for trials in LENGTHS:
            spent = seconds_per_trial(config, uri, folder / f"of-{trials}", trials)
            first = first or spent
            yield f"| 1 | {trials:,} | {spent:.3f} | {spent / first:.2f} |"
        spent = _side_by_side(config, folder)
        yield f"| {SIDE_BY_SIDE} at once | {LENGTHS[0]:,} | {spent:.3f} | {spent / (first or spent):.2f} |"
