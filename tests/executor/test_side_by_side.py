"""Several trials at once, as a user runs them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading

import pytest
from mlflow import MlflowClient

from search.executor.local import LocalExecutor
from search.study.journal import FILE
from search.study.request import TrialRequest
from search.study.trial import Outcome, Status

KILLS = 4
STUDY = ["strategy=optuna", "task=smoke", "study.trials=6", "study.parallel=2", "study.ahead=1"]
IDENTITY = "autoresearch/smoke/optuna-tpe/0"


def test_a_study_of_two_at_once_survives_any_kill_and_doubles_nothing(quick_clone, smoke):
    """A strategy that proposed something else on resuming would end a start with exit code 1."""
    draw = random.Random(0)
    for _ in range(KILLS):
        process = quick_clone.popen(*STUDY)
        try:
            process.communicate(timeout=draw.uniform(2.0, 9.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
    done = quick_clone.run(*STUDY)
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in (quick_clone.study(IDENTITY) / FILE).read_text().splitlines()]
    for kind in ("asked", "told"):
        assert sorted(line["number"] for line in lines if line["kind"] == kind) == list(range(6))
    assert all(line["outcome"]["status"] == Status.COMPLETED for line in lines if line["kind"] == "told")
    client = MlflowClient(f"sqlite:///{quick_clone.root}/mlruns/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.kind = 'trial'")
    assert sorted(run.data.tags["fairtrial.trial"] for run in runs) == [str(number) for number in range(6)]
    assert not list((quick_clone.study(IDENTITY) / "work").iterdir())


class Blocks:
    """Its trials end when they are told to, or stopped."""

    def __init__(self):
        self.began, self.stopped, self.go = threading.Semaphore(0), threading.Event(), threading.Event()

    def run(self, request, observe):
        self.began.release()
        while not self.go.wait(0.01):
            if self.stopped.is_set():
                raise RuntimeError("stopped")
        return Outcome(Status.CRASHED, reason=request.source)

    def stop(self):
        self.stopped.set()


@pytest.mark.parametrize("ends", [True, False])
def test_trials_run_at_once_and_are_ended_with_the_executor(tmp_path, ends):
    runner = Blocks()
    executor = LocalExecutor(runner, 2, lambda number, progress: None)
    for number in (4, 7):
        executor.submit(number, TrialRequest(f"program {number}", 1, tmp_path / "logs" / f"{number:04d}"))
    assert runner.began.acquire(timeout=60) and runner.began.acquire(timeout=60)
    if ends:
        runner.go.set()
        done = dict(executor.next_done() for _ in range(2))
        assert {number: outcome.reason for number, outcome in done.items()} == {4: "program 4", 7: "program 7"}
    executor.close()
    assert runner.stopped.is_set() != ends
