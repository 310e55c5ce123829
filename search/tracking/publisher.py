"""Publishes a study's journal to MLflow, which knows nothing that no journal holds.

One parent run per study, one nested run per trial. Publishing twice changes nothing: runs are found again by their tags, and
every metric carries the journal's own times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from search.config.schema import restored
from search.study import source
from search.study.code import accepted
from search.study.identity import flat
from search.study.journal import ATTACHMENTS, Entry, Journal
from search.study.trial import Origin, Status
from search.tracking import trial_row
from search.tracking.colours import COLOURS
from search.tracking.metrics import metric, outcome_metrics, outcome_tags
from search.tracking.store import absolute, all_runs, connect, experiment_id, first_line, outages, unusable
from search.tracking.totals import Totals
from search.tracking.words import kept_chain, study_description, trial_description

if TYPE_CHECKING:
    from mlflow.entities import Metric

LONGEST_VALUE = 500  # characters of a param or tag that are shown
PARAMS_PER_CALL = 100  # MLflow's limits for one call of log_batch
METRICS_PER_CALL = 1000


class MlflowPublisher:
    """Publishes one journal. An outage is a UserError at the beginning; later it is reported, and made up for at the next
    trial or the next start."""

    def __init__(self, uri: str, journal: Journal, report: Callable[[str], None]) -> None:
        """Raises UserError where the server or the file cannot be used."""
        assert journal.header is not None
        self.uri = absolute(uri)
        self.journal = journal
        self.report = report
        self.header: dict[str, Any] = {**journal.header, "accepted": accepted(journal)}
        self._task = restored(self.header["config"]).task
        self.behind = False  # whether a finished trial could not be published
        self._totals = Totals()
        self._rows: list[str] = []
        published = (line for line in journal.lines if line["kind"] == "published")
        self._done = {line["number"] for line in published if line["uri"] == self.uri}
        try:
            self.client = connect(self.uri)
            self.experiment = experiment_id(self.client, self.header["config"]["experiment"], self.uri)
            self.parent, self._runs = self._open_study()
        except outages() as error:
            raise unusable(uri, error) from error

    def publish(self) -> None:
        """Publish what is finished and not published yet; where that fails, say so and leave it for the next time."""
        self.behind = False
        while len(self._rows) < len(self.journal.entries):
            entry = self.journal.entries[len(self._rows)]
            totals = self._totals.plus(entry)
            line = json.dumps(self._row(entry))
            if entry.trial.number not in self._done:
                began = time.monotonic()
                try:
                    self._publish_trial(entry)
                    self._publish_curves(entry, totals, [*self._rows, line])
                except outages() as error:
                    self.behind = True
                    why = first_line(error)
                    self.report(
                        f"MLflow did not take trial {entry.trial.number}; the study goes on, and will catch up ({why})"
                    )
                    return
                seconds = round(time.monotonic() - began, 4)
                self.journal.append("published", number=entry.trial.number, uri=self.uri, seconds=seconds)
            self._totals = totals
            self._rows.append(line)

    def close(self, status: str) -> None:
        """End the study's run with MLflow's FINISHED, FAILED or KILLED."""
        self.publish()
        try:
            self._publish_attachments()  # a plan that finds everything trained brings no trial
            self.client.set_terminated(self.parent, status=status)
        except outages() as error:
            self.behind = True
            self.report(f"MLflow is out of reach ({first_line(error)})")

    def _open_study(self) -> tuple[str, dict[int, str]]:
        """The study's run and its trials' runs by number, as far as they exist; the study's run is created if not."""
        found = self.client.search_runs([self.experiment], f"tags.`fairtrial.id` = '{self.header['id']}'")
        if found:
            parent = str(found[0].info.run_id)
            self.client.update_run(parent, status="RUNNING")
        else:
            parent = self._create_study()
            self._done = set()  # what was published went to a store that is no longer there
        config = self.header["config"]
        named = {"strategy_name": config["strategy"]["name"], "fingerprint": self.header["task"]}
        settings = flat({**config, **named})
        self._log_params(parent, {name: value for name, value in settings.items() if value not in (None, {})})
        self.client.log_text(parent, json.dumps(self.header, indent=2), "study.json")
        if self.header["accepted"]:
            went_on = (f"{one['hash']} from trial {one['trial']}" for one in self.header["accepted"])
            self.client.set_tag(parent, "accepted_harness", ", ".join(went_on))
        children = all_runs(self.client, self.experiment, f"tags.`mlflow.parentRunId` = '{parent}'")
        return parent, {int(run.data.tags["fairtrial.trial"]): str(run.info.run_id) for run in children}

    def _create_study(self) -> str:
        config = self.header["config"]
        strategy = config["strategy"]["name"]
        tags = {
            "kind": self.header["role"],
            "strategy": strategy,
            "fairtrial.id": self.header["id"],
            "fairtrial.study": self.header["identity"],
            "fairtrial.task": self.header["task_fingerprint"],
            "sandbox": self.header["sandbox"],
            "mlflow.note.content": study_description(self.header),
        }
        # A first colour; which one a strategy has among others of its role is known when they are compared.
        if self.header["role"] == "study":
            tags["mlflow.runColor"] = COLOURS[config["strategy"]["role"]][0]
        name = f"{self.header['strategy']}, search seed {config['seed']}"
        name = "confirmation" if self.header["role"] == "confirmation" else name
        started = int(self.header["time"] * 1000)
        return str(self.client.create_run(self.experiment, start_time=started, tags=tags, run_name=name).info.run_id)

    def _publish_trial(self, entry: Entry) -> None:
        trial, candidate = entry.trial, entry.trial.candidate
        run = self._runs.get(trial.number) or self._create_run(entry)
        self._runs[trial.number] = run
        if candidate is not None:
            self._log_params(run, _constants(candidate.source))
            self._publish_source(run, entry)
        log = self.journal.folder / "logs" / f"{trial.number:04d}.train.txt"
        if log.is_file():
            self.client.log_text(run, log.read_text(encoding="utf-8"), "log.txt")
        attached = self.journal.folder / ATTACHMENTS / f"{trial.number:04d}"
        if attached.is_dir():
            self.client.log_artifacts(run, str(attached), "conversation")
        self._log_metrics(run, outcome_metrics(entry))
        status = "FINISHED" if trial.status is Status.COMPLETED else "FAILED"
        self.client.set_terminated(run, status=status, end_time=int(entry.finished * 1000))

    def _create_run(self, entry: Entry) -> str:
        trial, outcome, verdict = entry.trial, entry.trial.outcome, entry.verdict
        candidate = trial.candidate
        facts = self._row(entry)
        note = trial.answer.note
        tags = {
            "kind": "trial",
            "mlflow.parentRunId": self.parent,
            "fairtrial.trial": str(trial.number),
            "trial.strategy": self.header["strategy"],
            "status": trial.status,
            "origin": trial.origin,
            "note": note,
            "reason": outcome.reason,
            "audited": str(outcome.audited).lower(),
            "kind_of_change": str(facts["kind"]),
            "constants_changed": ", ".join(f"{name}={value}" for name, value in (facts["changed"] or {}).items()),
            "lines": f"+{facts['lines_added']} -{facts['lines_removed']}" if facts["kind"] else "",
            "flags": ", ".join(facts["flags"] or []),
            "doubts": ", ".join(facts["doubts"]),
            "parent_trial": "" if candidate is None or candidate.parent is None else str(candidate.parent),
            "training_seed": str(entry.training_seed),
            "device": outcome.device,
            "kept": "" if verdict is None else str(verdict.kept).lower(),
            "verdict": "" if verdict is None else verdict.reason,
            "mlflow.note.content": trial_description(entry),
            **outcome_tags(outcome),
            **trial.answer.facts,
        }
        if trial.answer.cost is not None and trial.answer.cost.usd is None:
            tags["llm_usd"] = "unknown"
        short = {name: value[:LONGEST_VALUE] for name, value in tags.items() if value}
        name = f"{trial.number:03d} {note}"[:80].strip()
        started = int(entry.started * 1000)
        run = self.client.create_run(self.experiment, start_time=started, tags=short, run_name=name)
        return str(run.info.run_id)

    def _publish_source(self, run: str, entry: Entry) -> None:
        candidate = entry.trial.candidate
        assert candidate is not None
        self.client.log_text(run, candidate.source, "train.py")
        # The UI previews .txt, and shows nothing for .diff.
        from_stock = source.diff(self._stock(), candidate.source, "stock/train.py", "trial/train.py")
        self.client.log_text(run, from_stock or "no change\n", "change_from_stock.diff.txt")
        parent = self._parent_text(entry)
        if parent is not None and candidate.parent != 0:
            change = source.diff(parent, candidate.source, f"trial {candidate.parent}/train.py", "trial/train.py")
            self.client.log_text(run, change or "no change\n", "change_from_parent.diff.txt")

    def _publish_curves(self, entry: Entry, totals: Totals, rows: list[str]) -> None:
        """The study's own curves over trials, its table, and its winner so far."""
        trial = entry.trial
        spent = {f"llm_{name}": value for name, value in totals.llm.items()}
        best = None if totals.winner is None else totals.winner.score
        values = {"train_hours": totals.train_hours, "best_val_bpb": best, **spent}
        # Anchors have a curve of their own: they are not what the strategy reached.
        values["anchor_val_bpb" if trial.origin is Origin.ANCHOR else "trial_val_bpb"] = trial.val_bpb
        at = int(entry.finished * 1000)
        known = {name: value for name, value in values.items() if value is not None}
        self._log_metrics(self.parent, [metric(name, value, at, trial.number) for name, value in known.items()])
        self.client.log_text(self.parent, "\n".join(rows) + "\n", "trials.jsonl")
        if entry.verdict is not None and entry.verdict.kept:
            self.client.log_text(self.parent, kept_chain(rows), "kept.md")
        self._publish_attachments()
        if totals.winner is entry and trial.candidate is not None:
            change = source.diff(self._stock(), trial.candidate.source, "stock/train.py", "winner/train.py")
            text, task = trial.candidate.source, self.header["config"]["task"]["name"]
            fitted = source.is_fitted(self._stock())  # an edit may have dropped the mark
            self.client.log_text(self.parent, source.marked(text, task) if fitted else text, "winner/train.py")
            self.client.log_text(self.parent, change or "no change\n", "winner/change_from_stock.diff.txt")
            self.client.set_tag(self.parent, "winner_trial", str(trial.number))

    def _publish_attachments(self) -> None:
        """What lies beside the journal, such as the program.md that an agent read."""
        for path in sorted((self.journal.folder / ATTACHMENTS).glob("*.*")):
            self.client.log_artifact(self.parent, str(path))

    def _log_params(self, run: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        entities = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in params.items()]
        for at in range(0, len(entities), PARAMS_PER_CALL):
            self.client.log_batch(run, params=entities[at : at + PARAMS_PER_CALL])

    def _log_metrics(self, run: str, metrics: list[Metric]) -> None:
        for at in range(0, len(metrics), METRICS_PER_CALL):
            self.client.log_batch(run, metrics=metrics[at : at + METRICS_PER_CALL])

    def _row(self, entry: Entry) -> dict[str, Any]:
        return trial_row.row(entry, self._parent_text(entry), self.journal.entries[0].trial, self._task)

    def _stock(self) -> str:
        candidate = self.journal.entries[0].trial.candidate
        assert candidate is not None
        return candidate.source

    def _parent_text(self, entry: Entry) -> str | None:
        candidate = entry.trial.candidate
        if candidate is None or candidate.parent is None:
            return None
        parent = self.journal.entries[candidate.parent].trial.candidate
        return None if parent is None else parent.source


def _constants(text: str) -> dict[str, Any]:
    try:
        return source.constants(text)
    except (SyntaxError, ValueError):
        return {}  # recorded as unusable; the text itself is an artifact
