"""Runs each trial as a job of Slurm, through submitit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.messages import UserError
from search.executor.place import Observe, Say
from search.executor.slurm_queue import FORGOTTEN, Queue, SlurmSilent
from search.executor.trial_job import ProgressFile, Report, Work, run_trial
from search.study.request import Progress, TrialRequest
from search.study.trial import Outcome

if TYPE_CHECKING:
    import submitit

# How Slurm itself ends a job: another try may go better.
BY_SLURM = ("BOOT_FAIL", "CANCELLED", "NODE_FAIL", "PREEMPTED", "TIMEOUT")
OTHERWISE = ("COMPLETED", "DEADLINE", "FAILED", "OUT_OF_MEMORY")
QUEUED = "PENDING"
RESULT_SECONDS = 0.5  # between two looks for results
LATE_SECONDS = 90.0  # that a result may stay unseen: NFS keeps what it knows of a folder for 60
WAITING_SECONDS = 30.0  # between two words about a job that is queued, or a Slurm that does not answer


@dataclass
class Running:
    """A trial that is a job. `submitted`, `told`, `ended`: moments of the first job, of the last word about waiting, and of
    when it was seen that the job is over. `progress`: what the node told last."""

    request: TrialRequest
    job: submitit.Job[Report]
    submitted: float
    tries: int = 1
    told: float | None = None
    ended: float | None = None
    progress: Progress | None = None


class SlurmExecutor:
    """Submits as many jobs as it is given trials."""

    def __init__(
        self,
        jobs: submitit.SlurmExecutor,
        queue: Queue,
        work: Callable[[str, TrialRequest], Work],
        retries: int,
        poll_seconds: float,
        observe: Observe,
        say: Say,
    ) -> None:
        """`work`: from a file for its progress and a request to what the node is told. `retries`: how often the job of one
        trial is submitted again. `observe`, `say`: for the display."""
        self._jobs, self._queue, self._work = jobs, queue, work
        self._retries, self._poll = retries, poll_seconds
        self._observe, self._say = observe, say
        self._folder = Path(jobs.folder)
        self._given: set[int] = set()  # trials that have not ended, whether or not they are jobs yet
        self._running: dict[int, Running] = {}
        self._looked = time.monotonic()
        self._silent: float | None = None  # when the user was last told that Slurm does not answer

    def submit(self, number: int, request: TrialRequest) -> None:
        """Raises UserError if Slurm does not take the job."""
        self._given.add(number)
        self._progress(number).unlink(missing_ok=True)
        self._running[number] = Running(request, self._submit(number, request), time.monotonic())

    def next_done(self) -> tuple[int, Outcome]:
        """Raises UserError if a job failed, or was ended by Slurm once too often; FailedJobError where the harness failed
        in it."""
        while True:
            looks = time.monotonic() - self._looked >= self._poll
            states = self._states() if looks else None  # first: what is over then has left its result
            written = {path.name for path in self._folder.iterdir()}  # has NFS look again, too
            for number, running in self._running.items():
                if running.job.paths.result_pickle.name in written:
                    return number, self._taken(number)
            for number, running in list(self._running.items()):
                self._tell(number, running)
                if states is not None:
                    self._see(number, running, *states.get(running.job.job_id, (FORGOTTEN, "")))
            time.sleep(RESULT_SECONDS)

    def close(self) -> None:
        if self._given:
            try:
                self._queue.cancel()
            except SlurmSilent as error:  # whatever ends the study is to be told, and not this
                self._say(f"jobs continue until the same command resumes the study: {str(error).splitlines()[0]}")

    def _submit(self, number: int, request: TrialRequest) -> submitit.Job[Report]:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            return self._jobs.submit(run_trial, self._work(str(self._progress(number)), request))
        except (FailedJobError, FailedSubmissionError) as error:
            raise UserError(
                f"trial {number}: Slurm did not accept its job: {' '.join(str(error).split())}.\n"
                "Correct the settings executor.*=, and run the same command again"
            ) from error

    def _taken(self, number: int) -> Outcome:
        """How a trial ended. Where its job failed, that one's files stay."""
        running = self._running[number]
        report = running.job.result()
        if report.outcome is None:
            raise UserError(f"trial {number}: job {running.job.job_id} could not run it: {report.wrong}")
        del self._running[number]
        self._given.discard(number)
        self._clear(number, running.job.job_id)
        outside = max(0.0, time.monotonic() - running.submitted - report.seconds)
        return replace(report.outcome, wait_seconds=round(report.outcome.wait_seconds + outside, 3))

    def _clear(self, number: int, job: str) -> None:
        """Remove what a trial that has ended needs no more."""
        for path in (*self._folder.glob(f"{job}_*"), self._progress(number)):
            path.unlink(missing_ok=True)
        for link in self._folder.glob(".submission_file_*"):  # submitit's, to a file that was removed above
            if not link.exists():
                link.unlink()

    def _states(self) -> Mapping[str, tuple[str, str]] | None:
        """None if Slurm does not answer: jobs continue without it."""
        now = self._looked = time.monotonic()
        try:
            return self._queue.states()
        except SlurmSilent as error:
            if self._silent is None or now - self._silent >= WAITING_SECONDS:
                self._silent = now
                self._say(f"waiting for Slurm: {str(error).splitlines()[0]}")
            return None

    def _see(self, number: int, running: Running, state: str, reason: str) -> None:
        """What Slurm says of a job that has left no result."""
        now = time.monotonic()
        if state == QUEUED and (running.told is None or now - running.told >= WAITING_SECONDS):
            running.told = now
            self._observe(number, Progress("waiting", holders=f"Slurm's queue ({reason})"))
        if state in BY_SLURM:
            self._again(number, running, state)
        elif state in (*OTHERWISE, FORGOTTEN):
            running.ended = running.ended or now
            if now - running.ended >= LATE_SECONDS:
                self._lost(number, running, state)
        else:
            running.ended = None

    def _lost(self, number: int, running: Running, state: str) -> None:
        if state == FORGOTTEN:
            self._again(number, running, state)
            return
        remedy = "Raise executor.mem_gb" if state == "OUT_OF_MEMORY" else "Mend that"
        raise UserError(
            f"trial {number}: job {running.job.job_id} ended as {state}, without a result; see {running.job.paths.stderr}.\n"
            f"{remedy}, and run the same command again"
        )

    def _again(self, number: int, running: Running, state: str) -> None:
        """Submit a trial's job again. Raises UserError if that was done often enough."""
        ended = f"trial {number}: job {running.job.job_id} was ended by Slurm ({state})"
        if running.tries > self._retries:
            remedy = "raise executor.timeout_min" if state == "TIMEOUT" else "fix that"
            raise UserError(
                f"{ended}, after {self._retries} other tries.\nFor {state} {remedy}; run the same command to resume"
            )
        self._say(f"{ended}; submitting it again (retry {running.tries} of at most {self._retries})")
        job = self._submit(number, running.request)
        self._running[number] = Running(running.request, job, running.submitted, running.tries + 1)

    def _tell(self, number: int, running: Running) -> None:
        progress = ProgressFile(self._progress(number)).read()
        if progress is not None and progress != running.progress:
            running.progress = progress
            self._observe(number, progress)

    def _progress(self, number: int) -> Path:
        return self._folder / f"progress-{number}.json"
