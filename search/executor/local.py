"""Runs trials in this process's children, each on a device that is leased for it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from search.config.messages import UserError
from search.config.places import ROOT, STUDIES
from search.config.schema import Config, TaskConfig
from search.data.tokens import Prepared
from search.executor.place import Observe, Opened, Say
from search.runner.process import lookups, sandbox
from search.runner.trial_runner import TrialRunner, check_task, devices
from search.study.request import Observer, Progress, TrialRequest
from search.study.trial import Outcome


class Runner(Protocol):
    """Runs trials, several at once where it is called from several threads."""

    def run(self, request: TrialRequest, observe: Observer) -> Outcome: ...
    def stop(self) -> None:
        """End all trials at once."""
        ...


class Local:
    """This machine, as a place for trials."""

    def check(self, task: TaskConfig) -> None:
        check_task(task)

    def devices(self, task: TaskConfig) -> int:
        return devices(task)

    @contextmanager
    def open(self, config: Config, prepared: Prepared, folder: Path) -> Iterator[Opened]:
        """Raises UserError as `make_runner` does."""
        there, parallel = devices(config.task), config.study.parallel
        few = (
            f"this machine has only {there} devices, so some of the study.parallel trials will wait"
            if parallel > there
            else ""
        )
        with closing(make_runner(config, prepared, folder)) as runner:

            def start(observe: Observe, say: Say) -> LocalExecutor:
                return LocalExecutor(runner, parallel, observe)

            yield Opened(runner.sandbox.name, few, start)


class LocalExecutor:
    """Runs as many trials at once as there are `workers`, which are threads."""

    def __init__(self, runner: Runner, workers: int, observe: Callable[[int, Progress], None]) -> None:
        """`observe`: is told about running trials by number, from their threads."""
        self._runner = runner
        self._observe = observe
        self._pool = ThreadPoolExecutor(workers, "trial")
        self._running: dict[Future[Outcome], int] = {}
        self._ended: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()

    def submit(self, number: int, request: TrialRequest) -> None:
        future = self._pool.submit(self._runner.run, request, partial(self._observe, number))
        self._running[future] = number
        future.add_done_callback(self._ended.put)

    def next_done(self) -> tuple[int, Outcome]:
        """Raises what running the trial raised."""
        future = self._ended.get()
        return self._running.pop(future), future.result()

    def close(self) -> None:
        if self._running:
            self._runner.stop()
        self._pool.shutdown(cancel_futures=True)


def make_runner(config: Config, prepared: Prepared, folder: Path, confirming: bool = False) -> TrialRunner:
    """A runner that keeps its files in `folder`. It scores validation, and the confirmation split only where it is
    `confirming`. Raises UserError if the text is too short or cannot be read, or where the sandbox or the kernel does
    not do."""
    lookups.check_works()
    confines = sandbox.choose(config.sandbox, config.task.device)
    if confines.name != sandbox.Unprotected.name:
        sandbox.check_hidden([ROOT, STUDIES, folder, prepared.folder, Path("~").expanduser()])
    try:
        return TrialRunner(config.task, prepared, folder / "work", folder / "stock_nats.f32", confines, confirming)
    except ValueError as error:
        raise UserError(f"task.scoring_rows={config.task.scoring_rows}: {error}; use more text or fewer rows") from error
    except OSError as error:
        raise UserError(f"the prepared text in {prepared.folder} cannot be used: {error}") from error
