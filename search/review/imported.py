"""Puts a reviewed log into MLflow: a study beside others, marked as imported, which no comparison counts.

Publishing twice changes only the page: runs are found again by the contents of the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from search.page.text import markdown
from search.review.again.effects import Again
from search.review.read.log import Log, Logged
from search.review.show.shown import Shown
from search.tracking.artifacts import follow, location_of
from search.tracking.links import artifact_page
from search.tracking.metrics import metric
from search.tracking.runs import TrialRuns, find_or_create_study, is_complete
from search.tracking.store import absolute, connect, experiment_id, outages, unusable
from search.tracking.values import log_values
from search.tracking.words import IMPORTED

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

CLAIM = "printed by the program, and not measured by this harness"
NAME_LENGTH = 80


def publish(uri: str, name: str, shown: Shown, pages: Mapping[str, Path], at: float) -> str:
    """Makes or finds the study's run and those of its trials. `name`: the experiment's. `pages`: the review's files by name.
    `at`: seconds since the epoch, used for all times, since the log has none. Returns the page of the report in MLflow's UI.
    Raises UserError if the store is out of reach."""
    started, log = int(at * 1000), shown.log
    try:
        client = connect(absolute(uri))
        follow(client, absolute(uri), name)
        experiment = experiment_id(client, name, location_of(absolute(uri), name))
        study = find_or_create_study(
            client,
            experiment,
            _identity(log),
            _tags(log),
            start_time=started,
            run_name=f"imported: {log.name}"[:NAME_LENGTH],
        )
        trials = TrialRuns(client, experiment, study)
        for trial in log.trials:
            _publish(client, trials, log, trial, started)
        log_values(client, study, {}, list(_curves(log, started)), {"mlflow.note.content": _note(shown.verdict)})
        if shown.again is not None:
            _publish_again(client, study, trials, shown.again, log)
        for path, file in pages.items():
            folder = Path(path).parent.as_posix()
            client.log_artifact(study, str(file), None if folder == "." else folder)
        client.set_terminated(study, end_time=started)
        trials.settle()
    except outages() as error:
        raise unusable(uri, error) from error
    return artifact_page(experiment, study, "report.html")


def _identity(log: Log) -> str:
    """Identifies a log by its trials alone: neither the file's name nor its noise matters."""
    said = json.dumps([log.metric, log.lower, [asdict(trial) for trial in log.trials]])
    return f"imported-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _tags(log: Log) -> dict[str, str]:
    return {"kind": IMPORTED, "strategy": "imported", "log": log.name, "metric": log.metric, "scores": CLAIM}


def _note(verdict: tuple[str, ...]) -> str:
    lines = "\n".join(f"- {markdown(sentence)}" for sentence in verdict)
    return f"**Imported from a log; its scores are {CLAIM}.** No comparison counts it.\n\n{lines}"


def _publish(client: MlflowClient, trials: TrialRuns, log: Log, trial: Logged, started: int) -> None:
    """Publishes one trial. Its run ends last, so that a run that has ended is complete."""
    run = trials.find(trial.number, started)
    if run is not None and is_complete(run):
        return
    if run is None:
        name = f"{trial.number:03d} {trial.description}"[:NAME_LENGTH].strip()
        run_id = trials.create(trial.number, started, {"kind": "trial"}, name)
    else:
        run_id = str(run.info.run_id)
    tags = {"status": str(trial.became), "kept": str(trial.kept).lower(), "note": trial.description, "commit": trial.commit}
    scores = [] if trial.score is None else [metric(log.metric, trial.score, started, 0)]
    log_values(client, run_id, {}, scores, {**{key: value for key, value in tags.items() if value}, "scores": CLAIM})
    client.set_terminated(run_id, status="FAILED" if trial.score is None else "FINISHED", end_time=started)


def _publish_again(client: MlflowClient, study: str, trials: TrialRuns, again: Again, log: Log) -> None:
    """Publishes the metrics of repeated runs on their trial's run, over the number of the block, and what they show."""
    held = {effect.trial: str(effect.gain.held) for effect in again.effects}
    for trial in sorted({run["trial"] for run in again.runs}):
        found = trials.find(trial, 0)
        assert found is not None
        mine = [run for run in again.runs if run["trial"] == trial and run["value"] is not None]
        values = [metric(f"again/{log.metric}", run["value"], int(run["time"] * 1000), run["block"]) for run in mine]
        said = f"{held.get(trial, 'the start')} ({again.scores})"
        log_values(client, found.info.run_id, {}, values, {"again": said})
    log_values(client, study, {}, [], {"again": again.scores})


def _curves(log: Log, at: int) -> Iterator[Metric]:
    """Yields each trial's score, and the best kept score so far, over the trial's number."""
    best: Logged | None = None
    for trial in log.trials:
        if trial.score is not None:
            yield metric(f"trial_{log.metric}", trial.score, at, trial.number)
        if trial.kept and (best is None or log.cost(trial) < log.cost(best)):
            best = trial
        if best is not None and best.score is not None:
            yield metric(f"best_{log.metric}", best.score, at, trial.number)
