"""Runs a study over an executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from search.config.files import failed_file
from search.config.messages import UserError
from search.study.journal import Entry
from search.study.request import Progress, TrialRequest
from search.study.steps import Ask, Known, Over, Wait, Work
from search.study.study import STOPPED, Study
from search.study.trial import Origin, Outcome
from search.study.winner import winner_of


class Executor(Protocol):
    """Where trials run. Requests and outcomes are plain values."""

    def submit(self, number: int, request: TrialRequest) -> None:
        """Begin a trial, and return at once."""
        ...

    def next_done(self) -> tuple[int, Outcome]:
        """Wait for a trial to end. Raises UserError if one could not be run, OSError where a file fails."""
        ...

    def close(self) -> None:
        """End what still runs, at once."""
        ...


class Publisher(Protocol):
    def publish(self) -> None:
        """Have the published record brought up to date with the journal. Returns at once."""
        ...


class Display(Protocol):
    def say(self, text: str) -> None: ...
    def asking(self, number: int, spent: str) -> None: ...
    def started(self, number: int, origin: Origin, note: str) -> None: ...
    def progress(self, number: int, progress: Progress) -> None: ...
    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None: ...


def drive(
    study: Study, executor: Executor, display: Display, publisher: Publisher, stop: Callable[[], bool] = lambda: False
) -> str:
    """Run a study to its end, or until `stop` says so: running trials then finish, and no other begins. Returns why it
    ended. Raises UserError if it cannot continue; finished trials are in the journal, and the others run again."""
    study.resume()
    try:
        return _drive(study, executor, display, publisher, stop)
    except KeyboardInterrupt:
        study.interrupt()
        raise
    finally:
        executor.close()


def _drive(study: Study, executor: Executor, display: Display, publisher: Publisher, stop: Callable[[], bool]) -> str:
    winner = winner_of(study.journal.entries)
    refused: BaseException | None = None  # what the strategy raised: it is raised again when nothing runs any more
    while not isinstance(step := study.due(), Over):
        if isinstance(step, Ask | Work) and (refused is not None or stop()):
            if not study.running:
                if refused is not None:
                    raise refused
                return STOPPED
            step = Wait()
        if isinstance(step, Ask):
            display.asking(step.number, study.spent())
            try:
                study.ask(step.number)
            except (UserError, KeyboardInterrupt) as error:  # a server is away, and patience or a stop has ended the wait
                refused = error
        elif isinstance(step, Work):
            display.started(step.asked.number, step.asked.origin, step.asked.answer.note)
            study.start(step.asked.number)
            executor.submit(step.asked.number, step.request)
        else:
            entry = study.take(*_ended(step, study, executor, display))
            publisher.publish()
            winner = winner_of([entry] if winner is None else [winner, entry])
            display.finished(entry, winner, study.left())
    return step.reason


def _ended(step: Known | Wait, study: Study, executor: Executor, display: Display) -> tuple[int, Outcome]:
    """The next trial that has ended, and how."""
    if isinstance(step, Known):
        display.started(step.asked.number, step.asked.origin, step.asked.answer.note)
        return step.asked.number, step.outcome
    try:
        return executor.next_done()
    except OSError as error:  # a full disk, a token file that is gone
        raise failed_file(error, study.journal.folder) from error
