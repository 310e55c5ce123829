"""Reads an experiment from MLflow: a few calls per study, whatever its number of trials."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.compare.read import parse
from search.compare.read.tables import Experiment, StudyTable
from search.config.messages import UserError
from search.tracking.artifacts import local_path
from search.tracking.experiments import existing
from search.tracking.store import all_runs, outages, unusable
from search.tracking.words import IMPORTED

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEADER, ROWS, PLANS = "study.json", "trials.jsonl", "plans.json"
WINNER, CHANGE = "winner", "winner/change_from_stock.diff.txt"

Json = dict[str, Any]


def read_experiment(uri: str, name: str, task: str | None = None) -> Experiment:
    """Returns the studies and the confirmation of an experiment; if `task` is given, only those of that task. Raises
    UserError if MLflow or the experiment is missing, if a record is damaged, or if the studies must not be compared."""
    client, found = existing(uri, name)
    try:
        studies = all_runs(client, found.experiment_id, "tags.kind = 'study'")
        imported = all_runs(client, found.experiment_id, f"tags.kind = '{IMPORTED}'")
        confirmations = all_runs(client, found.experiment_id, "tags.kind = 'confirmation'")
        with tempfile.TemporaryDirectory(prefix="fairtrial-") as folder:
            records = Records(client, Path(folder), task)
            experiment = parse.experiment(
                name,
                ((header, rows) for header, rows, _ in records.read(studies)),  # one at a time in memory
                list(records.read(confirmations)),
            )
            with_changes = tuple(replace(study, change=records.change_of(study)) for study in experiment.studies)
            names = tuple(str(run.info.run_name) for run in imported)
            return replace(experiment, studies=with_changes, empty=tuple(records.empty), imported=names)
    except outages() as error:
        raise unusable(uri, error) from error


class Records:
    """Downloads the artifacts of runs, one run after the other. `empty`: the studies that have no finished trial so far;
    `changes`: for each study, the number of its winner and the diff from the stock."""

    def __init__(self, client: MlflowClient, folder: Path, task: str | None) -> None:
        self.client = client
        self.folder = folder
        self.task = task
        self.empty: list[str] = []
        self.changes: dict[str, tuple[str, str]] = {}

    def read(self, runs: list[Any]) -> Iterator[tuple[Json, list[Json], list[Json]]]:
        """Yields header and rows of each run, and a confirmation's plans."""
        for run in runs:
            run_id = str(run.info.run_id)
            names = {artifact.path for artifact in self.client.list_artifacts(run_id)}
            if HEADER not in names:
                _check_place(run)
                self.empty.append(str(run.info.run_name))  # created a moment ago
                continue
            header: Json = json.loads(self._text(run_id, HEADER))
            if self.task is not None and header["config"]["task"]["name"] != self.task:
                continue
            if ROWS not in names:
                self.empty.append(str(header["identity"]))
                continue
            if WINNER in names:
                self.changes[header["identity"]] = run.data.tags.get("winner_trial", ""), self._text(run_id, CHANGE)
            plans = json.loads(self._text(run_id, PLANS)) if PLANS in names else []
            yield header, [json.loads(line) for line in self._text(run_id, ROWS).splitlines()], plans

    def change_of(self, study: StudyTable) -> str | None:
        """Returns the winner's published diff; None if it is another trial's, since the study may be running."""
        number, change = self.changes.get(study.identity, ("", None))
        return change if study.winner is not None and number == str(study.winner.number) else None

    def _text(self, run_id: str, name: str) -> str:
        """Returns the lines of one artifact. Raises UserError if it is empty, so that its JSON cannot be whole."""
        path = Path(self.client.download_artifacts(run_id, name, str(self.folder)))
        text = path.read_text(encoding="utf-8")
        path.unlink()
        if not text.strip():
            raise UserError(f"MLflow's run {run_id}: its {name} is empty; run the study's command again, which publishes it")
        return text


def _check_place(run: Any) -> None:
    """Raises UserError if a run's artifacts are missing for good. A run that was created a moment ago has none yet."""
    place = local_path(run.info.artifact_uri)
    experiment = None if place is None else place.parent.parent
    if experiment is not None and (run.info.status != "RUNNING" or not experiment.is_dir()):
        raise UserError(
            f"MLflow's run {run.info.run_name} has its artifacts in {place}, which is missing or empty.\n"
            f"Put {experiment} back, or into the folder artifacts/ beside the database; or run the study's command again"
        )
