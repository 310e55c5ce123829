"""Publishes a study's journal to MLflow. Everything in MLflow comes from a journal.

One parent run per study, one nested run per trial, published by a thread beside the study's loop: a slow or dead MLflow
costs no training time. Publishing twice changes nothing: runs are found again by their tags, and every metric carries the
journal's own times.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from search.study.journal import Entry, Journal
from search.tracking.artifacts import follow, location_of
from search.tracking.store import absolute, connect, experiment_id, first_line, outages, unusable
from search.tracking.study_run import StudyRun

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries, while MLflow takes nothing
PATIENCE = 120.0  # seconds that the end of a study waits for MLflow, and one more for each trial that is not there yet
SHORT_PATIENCE = 5.0  # the same, where it was stopped: what is left is published by the next start
QUIET = 1.0  # seconds of waiting of which nothing is said


@dataclass(frozen=True)
class Ending:
    """How a study's run will end: its `status`; `at`: after which no further trial is published, on the monotonic
    clock."""

    status: str
    at: float


class MlflowPublisher:
    """Publishes one journal. An outage at the beginning is a UserError. Later outages are reported, and the publisher
    catches up as soon as MLflow answers, or at the next start."""

    def __init__(self, uri: str, journal: Journal, report: Callable[[str], None]) -> None:
        """Raises UserError if the server or the file cannot be used."""
        assert journal.header is not None
        self.uri = absolute(uri)
        self.journal = journal
        self.report = report
        self.behind = False  # whether something could not be published, once it is closed,
        self.why = "it is too slow"  # and what MLflow last said of that
        self._given = 0  # entries of the journal that the thread has been handed
        self._todo: deque[Entry] = deque()
        self._ending: Ending | None = None
        self._changed = threading.Condition()  # guards the two above and the thread
        self._thread: threading.Thread | None = None
        name = journal.header["config"]["experiment"]
        try:
            client = connect(self.uri)
            follow(client, self.uri, name)
            self.experiment = experiment_id(client, name, location_of(self.uri, name))
            self._study = StudyRun(client, self.experiment, journal, lambda text: self.report(text))
        except outages() as error:
            raise unusable(uri, error) from error
        self.publish()

    def publish(self) -> None:
        """Hand the thread the trials that have ended so far. Returns at once."""
        with self._changed:
            new = self.journal.entries[self._given :]
            self._todo.extend(new)
            self._given += len(new)
            self._ending = None
            if self._todo and self._thread is None:
                self._start()
            self._changed.notify_all()

    def close(self, status: str) -> None:
        """End the study's run with MLflow's FINISHED, FAILED or KILLED. Waits for what is not published yet, but not
        forever; `behind` then says whether something is missing."""
        self.publish()
        with self._changed:
            patience = SHORT_PATIENCE if status == "KILLED" else PATIENCE + len(self._todo)
            self._ending = Ending(status, time.monotonic() + patience)
            self.behind = True  # until the thread has done all of it
            thread = self._thread if self._thread is not None else self._start()
            self._changed.notify_all()
        thread.join(QUIET)
        if thread.is_alive():
            self.report(f"publishing the rest to MLflow, for {patience:.0f} s at most")
            thread.join(patience)
            if thread.is_alive():
                self.report("MLflow is too slow; the next start will publish the rest")

    def _start(self) -> threading.Thread:
        # A daemon: a call that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="MLflow publisher", daemon=True)
        self._thread.start()
        return self._thread

    def _work(self) -> None:
        """Publish what there is, and end the run when that is asked for."""
        while True:
            entry, status = self._next()
            if entry is not None:
                if self._insist(f"trial {entry.number}", partial(self._study.add, entry)):
                    with self._changed:
                        self._todo.popleft()
                continue
            ended = self._insist("the study's end", partial(self._study.end, status))
            with self._changed:
                if self._ending is not None:  # else there is more to publish by now
                    self.behind = bool(self._todo) or not ended
                    self._thread = None
                    return

    def _next(self) -> tuple[Entry | None, str]:
        """The next trial; or the status to end with, once no trial or no time is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._todo or self._ending is not None)
            if self._ending is None or (self._todo and time.monotonic() < self._ending.at):
                return self._todo[0], ""
            return None, self._ending.status

    def _insist(self, what: str, call: Callable[[], None]) -> bool:
        """Call until MLflow takes it; at the end of the study twice, and then there is no time for more."""
        failures = 0
        while (why := _error_of(call)) is not None:
            failures += 1
            self.why = why
            with self._changed:
                if self._ending is not None and failures > 1:
                    self._ending = replace(self._ending, at=0.0)
                    break
            if failures == 2:  # a single failure is not an outage
                self.report(f"MLflow did not accept {what}; the study continues, and will catch up ({why})")
            self._pause(min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))
        if why is not None:
            self.report(f"MLflow did not accept {what}; the next start will catch up ({why})")
        elif failures > 1:
            self.report(f"MLflow has now accepted {what}")
        return why is None

    def _pause(self, seconds: float) -> None:
        """Until then, or until the study ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending is not None, seconds)


def _error_of(call: Callable[[], None]) -> str | None:
    """What went wrong, in one line, if MLflow is to blame."""
    try:
        call()
    except outages() as error:
        return first_line(error)
    return None
