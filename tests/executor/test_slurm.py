"""What the executor makes of what Slurm says of its jobs; a real Slurm is in test_slurm_cluster.py."""

from __future__ import annotations

import importlib.util
import time
from types import SimpleNamespace

import pytest

from search.config.messages import UserError
from search.console.run_study import check
from search.executor import slurm_jobs
from search.executor.slurm_jobs import BY_SLURM, SlurmExecutor
from search.executor.slurm_queue import FORGOTTEN, SlurmSilent
from search.executor.trial_job import ProgressFile, Report, Work
from search.study.identity import Opening, Stock, header_of
from search.study.request import Progress, TrialRequest
from search.study.trial import Outcome, Status

DONE, SILENT = "done", "silent"
RETRIES = 2


class Cluster:
    """Stands in for submitit and for Slurm's queue: the jobs that it is given have these fates, in that order."""

    def __init__(self, folder, fates):
        self.folder, self.fates, self.jobs, self.cancelled, self.said = folder, list(fates), {}, 0, []
        self.answers = True
        folder.mkdir()

    def submit(self, function, work):
        number, fate = str(len(self.jobs) + 1), self.fates[len(self.jobs)]
        paths = SimpleNamespace(
            result_pickle=self.folder / f"{number}_0_result.pkl", stderr=self.folder / f"{number}_0_log.err"
        )
        if fate == DONE:
            paths.result_pickle.touch()
        self.jobs[number] = fate
        report = Report(Outcome(Status.CRASHED, reason=work.request.source, wait_seconds=1.0), 0.0)
        return SimpleNamespace(job_id=number, paths=paths, result=lambda: report)

    def states(self):
        time.sleep(0.002)  # that a trial waits
        if not self.answers:
            self.answers = True
            raise SlurmSilent("squeue: no answer")
        return {number: (fate, "Resources") for number, fate in self.jobs.items() if fate != FORGOTTEN}

    def cancel(self):
        self.cancelled += 1

    def executor(self, observe=lambda number, progress: None):
        return SlurmExecutor(self, self, self.work, RETRIES, 0.0, observe, self.said.append)

    def work(self, progress, request):
        return Work({}, "none", "", str(self.folder), progress, request)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(slurm_jobs, "RESULT_SECONDS", 0.0)
    monkeypatch.setattr(slurm_jobs, "LATE_SECONDS", 0.0)


def request(tmp_path):
    return TrialRequest("program 3", 1, tmp_path / "logs" / "0003")


@pytest.mark.parametrize("state", [*BY_SLURM, FORGOTTEN])
def test_what_slurm_ends_is_submitted_again_and_told_once(tmp_path, state):
    cluster = Cluster(tmp_path / "jobs", [state, DONE])
    executor = cluster.executor()
    executor.submit(3, request(tmp_path))
    number, outcome = executor.next_done()
    assert (number, outcome.reason, len(cluster.jobs)) == (3, "program 3", 2)
    assert outcome.wait_seconds > 1.0
    assert len(cluster.said) == 1 and state in cluster.said[0]
    executor.close()
    assert cluster.cancelled == 0


@pytest.mark.parametrize(("state", "jobs", "said"), [("TIMEOUT", 1 + RETRIES, "timeout_min"), ("FAILED", 1, "log.err")])
def test_what_does_not_come_right_ends_the_study_with_the_remedy(tmp_path, state, jobs, said):
    cluster = Cluster(tmp_path / "jobs", [state] * jobs)
    executor = cluster.executor()
    executor.submit(3, request(tmp_path))
    with pytest.raises(UserError, match=said) as refused:
        executor.next_done()
    assert str(refused.value).count("\n") == 1 and len(cluster.jobs) == jobs
    executor.close()
    assert cluster.cancelled == 1


def test_a_queued_job_and_a_running_one_are_told_and_a_silent_slurm_ends_nothing(tmp_path):
    cluster = Cluster(tmp_path / "jobs", ["PENDING"])
    cluster.answers = False
    seen = []

    def observe(number, progress):
        seen.append((number, progress.phase))
        if progress.phase == "train":
            (tmp_path / "jobs" / "1_0_result.pkl").touch()
        elif progress.phase == "waiting":
            ProgressFile(tmp_path / "jobs" / "progress-3.json").write(Progress("train", 0.5, 2.0))

    executor = cluster.executor(observe)
    executor.submit(3, request(tmp_path))
    assert executor.next_done()[0] == 3
    assert seen == [(3, "waiting"), (3, "train")]
    assert cluster.said == ["waiting for Slurm: squeue: no answer"]
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.parametrize(("lacking", "said"), [("submitit", r"pip install -e '\.\[slurm\]'"), ("sbatch", "login node")])
def test_what_slurm_needs_and_this_machine_lacks_is_named(configure, monkeypatch, lacking, said):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if lacking == "submitit" else object())
    with pytest.raises(UserError, match=said) as refused:
        check(configure("task=smoke", "executor=slurm"))
    assert str(refused.value).count("\n") == 1


def test_where_trials_run_is_no_part_of_what_a_study_is(configure):
    here, there = (configure("task=smoke", f"executor={name}") for name in ("local", "slurm"))
    opening = Opening(Stock("LR = 1\n"), "text", "none")
    assert header_of(here, opening) == header_of(there, opening)


def test_a_login_node_needs_no_gpu_and_a_misspelt_parameter_is_found_there(configure, monkeypatch, tmp_path):
    for name in ("sbatch", "srun"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    check(configure("task=gpu", "strategy=seeds", "executor=slurm"))
    with pytest.raises(UserError, match=r"executor.parameters=.*colour"):
        check(configure("task=smoke", "executor=slurm", "+executor.parameters.colour=red"))
