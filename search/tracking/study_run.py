"""Publishes one study's run to MLflow, with its curves, its table and its winner so far."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from search.config.schema import restored
from search.config.secrets import all_masked
from search.study import source
from search.study.code import accepted
from search.study.identity import flat
from search.study.journal import ATTACHMENTS, Entry, Journal
from search.study.report import FILE, PAGE
from search.study.trial import Status
from search.tracking.about import new_run, study_tags, text_input
from search.tracking.files import SENT, log_files
from search.tracking.ledger import Ledger, Made
from search.tracking.metrics import study_metrics
from search.tracking.result import result, with_result
from search.tracking.row_maker import Job, RowMaker
from search.tracking.runs import TrialRuns, find_or_create_study, is_complete
from search.tracking.totals import Totals
from search.tracking.traces import Run, publish_traces
from search.tracking.trial_run import TrialRecord, fill
from search.tracking.values import log_values
from search.tracking.views import remark, share
from search.tracking.words import NOTE, kept_chain, study_description

if TYPE_CHECKING:
    from mlflow import MlflowClient

TABLE, KEPT = "trials.jsonl", "kept.md"
ROWS_PER_TABLE = 50  # of a table that is written anew: its cost per trial then stays the same however long the study gets


class StudyRun:
    """One study's run and its trials', for one thread. An outage raises what `outages` names; repeating the call
    continues from there."""

    def __init__(self, client: MlflowClient, experiment: str, journal: Journal, report: Callable[[str], None]) -> None:
        """Finds the study's run, or makes it."""
        assert journal.header is not None
        self.client = client
        self.experiment = experiment
        self.folder = journal.folder
        self.report = report
        # The first studies have passwords on record.
        self.header: dict[str, Any] = {**all_masked(journal.header), "accepted": accepted(journal)}
        shutil.rmtree(self.folder / SENT, ignore_errors=True)  # of a start that was killed
        self._task = restored(self.header["config"]).task
        self.id = find_or_create_study(
            client, experiment, self.header["id"], study_tags(self.header), **new_run(self.header)
        )
        client.update_run(self.id, status="RUNNING")
        self._runs = TrialRuns(client, experiment, self.id)
        self._ledger = Ledger(self.folder, self.id)
        self._maker = RowMaker()
        self._entries: dict[int, Entry] = {}  # by number, in the order of telling
        self._rows: dict[int, str] = {}
        unpublished = (entry.started for entry in journal.entries if not self._ledger.is_published(entry))
        self._earliest = min(unpublished, default=math.inf)  # what is told later may have started earlier
        self._totals = Totals()
        self._in_table = 0  # rows
        self._attached: dict[str, int | None] | None = None  # names and sizes in bytes of what lies beside the table
        self._described = False
        self._said: set[str] = set()  # why MLflow does not take traces

    def add(self, entry: Entry) -> None:
        """Publish what is not published yet of a trial. They come in the order of telling."""
        if entry.number not in self._entries:
            self._describe()
            made = self._made(entry)
            totals = self._totals.plus(entry)
            if not self._ledger.is_published(entry):
                self._publish(entry, made, totals)
                self._ledger.add(entry)
            self._entries[entry.number] = entry
            self._rows[entry.number] = json.dumps(made["row"])
            self._totals = totals
        if (len(self._rows) - self._in_table) * ROWS_PER_TABLE >= len(self._rows):
            self._publish_table()

    def end(self, status: str) -> None:
        """Bring the run up to date, and end it with MLflow's FINISHED, FAILED or KILLED."""
        self._maker.close()
        self.client.set_terminated(self.id, status=status)
        self._describe()
        self._publish_table()
        for path in (self.folder / FILE, self.folder / PAGE):  # of this start, however large the last one's was
            if path.is_file():
                self.client.log_artifact(self.id, str(path))
        lines = result(self.header, self._entries.values(), status == "FINISHED")
        description = f"{study_description(self.header)} {remark(self.header, self.experiment)}"
        self.client.set_tag(self.id, NOTE, with_result(lines, description))
        self._runs.settle()

    def _describe(self) -> None:
        """Settings as params, and the journal's first line."""
        if self._described:
            return
        config = self.header["config"]
        named = {"strategy_name": config["strategy"]["name"], "fingerprint": self.header["task"]}
        settings = flat({**config, **named})
        went_on = ", ".join(f"{one['hash']} from trial {one['trial']}" for one in self.header["accepted"])
        tags = {"accepted_harness": went_on} if went_on else {}
        params = {name: value for name, value in settings.items() if value not in (None, {})}
        refused = log_values(self.client, self.id, params, [], tags)
        if refused:
            self.report(f"MLflow does not accept these settings of the study: {', '.join(refused)}; the rest is published")
        log_files(self.client, self.id, {"study.json": json.dumps(self.header, indent=2)}, self.folder)
        self.client.log_inputs(self.id, datasets=[text_input(self.header)])
        share(self.client, self.experiment, self.header)
        self._described = True

    def _publish(self, entry: Entry, made: Made, totals: Totals) -> None:
        """A trial's run is ended last: one that has ended is complete."""
        started = int(min(entry.started, self._earliest) * 1000)
        run = self._runs.find(entry.number, started)
        if run is not None and is_complete(run):
            return
        stock, strategy = self._text_of(0, entry) or "", self.header["strategy"]
        record = TrialRecord(
            entry, **made, stock=stock, parent=self._parent_text(entry), folder=self.folder, strategy=strategy
        )
        if run is None:
            run_id = self._runs.create(entry.number, int(entry.started * 1000), {"kind": "trial"}, record.name)
        else:
            run_id = str(run.info.run_id)
        refused = fill(self.client, run_id, record)
        if refused:
            self.report(
                f"MLflow does not accept these values of trial {entry.number}: {', '.join(refused)}; the rest is published"
            )
        conversation = self.folder / ATTACHMENTS / f"{entry.number:04d}"
        trial = Run(run_id, self.experiment)
        self._say_once(publish_traces(self.client, trial, self.header["id"], entry, conversation))
        self._publish_curves(entry, totals, stock)
        status = "FINISHED" if entry.trial.status is Status.COMPLETED else "FAILED"
        self.client.set_terminated(run_id, status=status, end_time=int(entry.finished * 1000))

    def _say_once(self, why: str | None) -> None:
        if why is not None and why not in self._said:
            self.report(f"MLflow does not accept calls to an LLM as traces ({why}); they are in the trials' conversation")
            self._said.add(why)

    def _publish_curves(self, entry: Entry, totals: Totals, stock: str) -> None:
        """The study's own curves over trials, and its winner so far."""
        trial = entry.trial
        points = study_metrics(entry, totals)
        won = totals.winner is entry and trial.candidate is not None
        log_values(self.client, self.id, {}, points, {"winner_trial": str(trial.number)} if won else {})
        if won:
            assert trial.candidate is not None
            program, task = trial.candidate.source, self.header["config"]["task"]["name"]
            fitted = source.is_fitted(stock)  # an edit may have dropped the mark
            change = source.diff(stock, program, "stock/train.py", "winner/train.py")
            winner = {"train.py": source.marked(program, task) if fitted else program, "change_from_stock.diff.txt": change}
            texts = {f"winner/{name}": text or "no change\n" for name, text in winner.items()}
            log_files(self.client, self.id, texts, self.folder)

    def _publish_table(self) -> None:
        """The rows so far, the kept ones in words, and what lies beside the journal, such as the program.md that an agent
        read or a confirmation's plans."""
        if self._in_table < len(self._rows):
            rows = [row for _, row in sorted(self._rows.items())]
            told = list(self._rows.values())
            texts = {TABLE: "\n".join(rows) + "\n", KEPT: kept_chain(told)}
            log_files(self.client, self.id, texts, self.folder)
            self._in_table = len(self._rows)
        files = sorted(path for path in (self.folder / ATTACHMENTS).glob("*.*") if path.suffix != ".unfinished")
        if files and self._attached is None:
            self._attached = {artifact.path: artifact.file_size for artifact in self.client.list_artifacts(self.id)}
        for path in files:
            size = path.stat().st_size
            if self._attached is not None and self._attached.get(path.name) != size:
                self.client.log_artifact(self.id, str(path))
                self._attached[path.name] = size

    def _made(self, entry: Entry) -> Made:
        """Computed once for each trial, in all starts together."""
        made = self._ledger.made(entry)
        if made is None:
            stock = self._entries.get(0, entry)
            made = self._maker.make(Job(entry, self._parent_text(entry), stock.trial, self._task))
            self._ledger.keep(entry, made)
        return made

    def _parent_text(self, entry: Entry) -> str | None:
        candidate = entry.trial.candidate
        return None if candidate is None or candidate.parent is None else self._text_of(candidate.parent, entry)

    def _text_of(self, number: int, newest: Entry) -> str | None:
        candidate = self._entries.get(number, newest).trial.candidate
        return None if candidate is None else candidate.source
