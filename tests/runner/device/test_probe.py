"""How fast the machine was stands beside a score that depends on it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from search.config.places import usable_cores
from search.config.schema import BudgetConfig
from search.executor.local import make_runner
from search.runner.device import probe
from search.study.request import TrialRequest
from search.study.trial import Status
from tests.programs import TRAINED, program

CORE = min(usable_cores())


@pytest.fixture
def run(quick, tmp_path, monkeypatch):
    """Run a program under a budget of seconds."""
    monkeypatch.setattr("search.runner.training.OVERRUN_SECONDS", 60.0)  # a stalled machine is not what is tested
    config, prepared = quick
    config = replace(config, task=replace(config.task, budget=BudgetConfig(seconds=1.0)))

    def run_program(source):
        with contextlib.closing(make_runner(config, prepared, tmp_path)) as runner:
            asked = TrialRequest(source, 1, tmp_path / "logs" / "trial", is_stock=True)
            return runner.run(asked, lambda progress: None)

    return run_program


def put_work(monkeypatch, tmp_path, text):
    monkeypatch.setattr(probe, "WORK", tmp_path / "work.py")
    (tmp_path / "work.py").write_text("import os\n" + text)


def test_a_trial_in_seconds_is_probed_on_its_own_cores(run, monkeypatch, tmp_path):
    cores = []
    monkeypatch.setattr(probe, "on_cores", lambda leased: cores.append(leased) or contextlib.nullcontext())
    outcome = run("raise ValueError('trains nothing')")
    assert outcome.status is Status.CRASHED
    assert outcome.probe_before > 0 and outcome.probe_after > 0 and outcome.seconds["probe"] > 0
    assert [f"cpu-{','.join(map(str, leased))}" for leased in cores] == [outcome.device.split()[-1]] * 2
    monkeypatch.undo()
    put_work(monkeypatch, tmp_path, "print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'], sep='.')")
    assert probe.work_per_second([CORE]) == 1.1


def test_a_probe_that_fails_is_said_and_ends_no_trial(run, monkeypatch, tmp_path):
    put_work(monkeypatch, tmp_path, "os.kill(os.getpid(), 9)")
    outcome = run(program(main=TRAINED))
    assert (outcome.status, outcome.probe_before, outcome.probe_after) == (Status.COMPLETED, None, None)
    assert (tmp_path / "logs" / "trial.probe.txt").read_text().count("SIGKILL") == 2


@pytest.mark.parametrize("said", ["nan", "-1", "inf", "fast", ""])
def test_only_a_rate_is_taken_for_one(monkeypatch, tmp_path, said):
    put_work(monkeypatch, tmp_path, f"print({said!r})")
    with pytest.raises(probe.ProbeFailed, match="not a rate"):
        probe.work_per_second([CORE])


def test_a_probe_that_hangs_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(probe, "MOST_SECONDS", 0.5)
    put_work(monkeypatch, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(probe.ProbeFailed, match="not finished"):
        probe.work_per_second([CORE])
