"""Creates each run only once. The answer to the call that creates one may be lost although the run exists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.tracking.store import all_runs, outages, sent_once

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRIAL = "fairtrial.trial"
ENDED = ("FINISHED", "FAILED")  # what a trial's run is when all of it is published


class TrialRuns:
    """The trials' runs of one study's run, by number. They are asked for once, and again when an answer was lost."""

    def __init__(self, client: MlflowClient, experiment: str, study: str) -> None:
        self.client = client
        self.experiment = experiment
        self.study = study
        self._known: dict[int, Any] | None = None
        self._doubtful: int | None = None  # the earliest start, in ms, of which the answer was lost

    def find(self, number: int, started: int) -> Any | None:
        """The run of a trial, complete or not. `started`: ms since 1970; runs from there on are asked for at once."""
        if self._known is None:
            self._known = self._settled(started)
        return self._known.get(number)

    def create(self, number: int, started: int, tags: Mapping[str, str], name: str) -> str:
        """Make a trial's run, which `find` did not find."""
        assert self._known is not None
        all_tags = {**tags, TRIAL: str(number), "mlflow.parentRunId": self.study}
        try:
            with sent_once():
                run = self.client.create_run(self.experiment, start_time=started, tags=all_tags, run_name=name)
        except outages():
            self.forget(started)
            raise
        self._known[number] = run
        return str(run.info.run_id)

    def forget(self, started: int) -> None:
        """Forget what is known from that moment on: it may be wrong."""
        self._known = None
        self._doubtful = started if self._doubtful is None else min(started, self._doubtful)

    def settle(self) -> None:
        """Remove runs that lost answers have doubled: a slow server may create a run after it was created again."""
        if self._doubtful is not None:
            self._settled(self._doubtful)
            self._doubtful = None

    def _settled(self, started: int) -> dict[int, Any]:
        """One run for each trial that began no earlier; doubles are deleted. A run that was complete and that somebody
        deleted counts: it is not published again."""
        query = f"tags.`mlflow.parentRunId` = '{self.study}' AND attributes.start_time >= {started}"
        found: defaultdict[int, list[Any]] = defaultdict(list)
        for run in all_runs(self.client, self.experiment, query, deleted=True):
            if run.info.lifecycle_stage == "active" or is_complete(run):
                found[int(run.data.tags[TRIAL])].append(run)
        return {number: self._one(runs) for number, runs in found.items()}

    def _one(self, runs: list[Any]) -> Any:
        kept = next((run for run in runs if is_complete(run)), runs[0])
        for run in runs:
            if run is not kept and run.info.lifecycle_stage == "active":
                self.client.delete_run(run.info.run_id)
        return kept


def is_complete(run: Any) -> bool:
    """Whether all of a trial is in its run."""
    return run.info.status in ENDED


def find_or_create_study(client: MlflowClient, experiment: str, study: str, tags: Mapping[str, str], **facts: Any) -> str:
    """The run of a study by its id, made where there is none. Doubles that hold nothing are deleted. `facts`: what else
    its run is made with. Raises what `outages` names."""
    query = f"tags.`fairtrial.id` = '{study}'"
    found = all_runs(client, experiment, query)
    if not found:
        try:
            with sent_once():
                return str(client.create_run(experiment, tags={**tags, "fairtrial.id": study}, **facts).info.run_id)
        except outages():
            found = all_runs(client, experiment, query)
            if not found:
                raise
    used = [run for run in found if len(found) > 1 and _has_trials(client, experiment, run)]
    kept = (used or found)[0]
    for run in found:
        if run is not kept and run not in used:
            client.delete_run(run.info.run_id)
    return str(kept.info.run_id)


def _has_trials(client: MlflowClient, experiment: str, run: Any) -> bool:
    query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return bool(client.search_runs([experiment], query, max_results=1))
