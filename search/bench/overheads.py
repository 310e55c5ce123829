"""Measures what a trial costs besides its training run, on real trials of the stock."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from search.config.messages import UserError
from search.config.schema import Config
from search.study.request import TrialRequest
from search.study.trial import Outcome, Status

TRIALS = 3  # of the stock, measured
BEFORE = ("start", "import", "build", "compile", "probe_before")


@dataclass(frozen=True)
class Overheads:
    """Seconds of a trial, medians. `start`: of process and imports; `before`, `after`: all before the clock starts and after
    it ends; `answers`: of the scored model's forward passes alone."""

    start: float
    before: float
    after: float
    answers: float

    @property
    def plain(self) -> float:
        """What a loop that starts `python train.py` afresh, scores in the same process and checks nothing spends."""
        return self.before + self.answers


def measure(config: Config) -> Overheads:
    """Run trials of the stock on the device of the task. Raises UserError if the device is missing, or a trial
    fails."""
    from search.data.tokens import prepare_data
    from search.executor.local import make_runner
    from search.runner.stock import stock_of
    from search.runner.trial_runner import check_task

    check_task(config.task)
    prepared, stock = prepare_data(config, print), stock_of(config).text
    measured = []
    with tempfile.TemporaryDirectory() as folder, closing(make_runner(config, prepared, Path(folder))) as runner:
        for trial in range(TRIALS):
            request = TrialRequest(stock, trial, Path(folder) / "logs" / str(trial), is_stock=True)
            began = time.monotonic()
            outcome = runner.run(request, lambda progress: None)
            measured.append(_of(outcome, time.monotonic() - began))
    return Overheads(*(median(values) for values in zip(*measured, strict=True)))


def _of(outcome: Outcome, wall: float) -> tuple[float, float, float, float]:
    """`wall`: seconds of the whole trial."""
    if outcome.status is not Status.COMPLETED:
        raise UserError(f"a trial of the stock ended {outcome.status}: {outcome.reason}")
    seconds = outcome.seconds
    before = sum(seconds.get(phase, 0.0) for phase in BEFORE)
    after = wall - before - outcome.wait_seconds - outcome.train_seconds
    return seconds["start"] + seconds["import"], before, after, outcome.spent["answers"]
