"""Reads an experiment from MLflow: a few calls per study, whatever its number of trials."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.compare.read import parse
from search.compare.read.tables import Experiment
from search.config.messages import UserError
from search.tracking.artifacts import follow, local_path
from search.tracking.store import absolute, all_runs, connect, database_file, outages, unusable

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEADER, ROWS, PLANS = "study.json", "trials.jsonl", "plans.json"

Json = dict[str, Any]


def read_experiment(uri: str, name: str, task: str | None = None) -> Experiment:
    """The studies and the confirmation of an experiment, those of `task` only where that is given. Raises UserError where
    MLflow or the experiment is not there, where a record is damaged, or where the studies must not be compared."""
    file = database_file(uri)
    if file is not None and not file.is_file():  # connecting would create an empty one
        raise UserError(f"tracking.uri={uri}: there is no such file; run a study first, or set another tracking.uri")
    try:
        client = connect(absolute(uri))
        found = follow(client, absolute(uri), name)
        if found is None:
            raise UserError(f"experiment={name}: {uri} has none of that name; correct it, or set tracking.uri=")
        studies = all_runs(client, found.experiment_id, "tags.kind = 'study'")
        confirmations = all_runs(client, found.experiment_id, "tags.kind = 'confirmation'")
        with tempfile.TemporaryDirectory(prefix="fairtrial-") as folder:
            records = Records(client, Path(folder), task)
            experiment = parse.experiment(
                name,
                ((record.header, record.rows) for record in records.read(studies)),  # one at a time in memory
                [(record.header, record.rows, record.plans) for record in records.read(confirmations)],
            )
            return replace(experiment, empty=tuple(records.empty))
    except outages() as error:
        raise unusable(uri, error) from error


@dataclass(frozen=True)
class Record:
    """One run's artifacts. `plans`: a confirmation's."""

    header: Json
    rows: list[Json]
    plans: list[Json]


class Records:
    """Downloads the artifacts of runs, one run after the other. `empty`: studies without a finished trial, so far."""

    def __init__(self, client: MlflowClient, folder: Path, task: str | None) -> None:
        self.client = client
        self.folder = folder
        self.task = task
        self.empty: list[str] = []

    def read(self, runs: list[Any]) -> Iterator[Record]:
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
            yield Record(
                header,
                [json.loads(line) for line in self._text(run_id, ROWS).splitlines()],
                json.loads(self._text(run_id, PLANS)) if PLANS in names else [],
            )

    def _text(self, run_id: str, name: str) -> str:
        """The lines of one artifact. Raises UserError where its JSON could not have been written whole."""
        path = Path(self.client.download_artifacts(run_id, name, str(self.folder)))
        text = path.read_text(encoding="utf-8")
        path.unlink()
        if not text.strip():
            raise UserError(
                f"MLflow's run {run_id}: its {name} is empty; give the study's command again, which publishes it"
            )
        return text


def _check_place(run: Any) -> None:
    """Raise UserError where a run's artifacts are missing for good. One that was created a moment ago has none yet."""
    place = local_path(run.info.artifact_uri)
    experiment = None if place is None else place.parent.parent
    if experiment is not None and (run.info.status != "RUNNING" or not experiment.is_dir()):
        raise UserError(
            f"MLflow's run {run.info.run_name} has its artifacts in {place}, which is not there or is empty.\n"
            f"Put {experiment} back, or into the folder artifacts/ beside the database; or give the study's command again"
        )
