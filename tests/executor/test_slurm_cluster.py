"""Trials as jobs of a real Slurm: one controller and two nodes on the loopback interface."""

from __future__ import annotations

import json
import time

import pytest

from search.study.journal import FILE
from search.study.trial import Status
from tests.programs import TRAINED, program
from tests.servers.slurm import missing, slurm

TRIALS, SECONDS = 4, 120
STUDY = ["strategy=seeds", "task=smoke", f"study.trials={TRIALS}", "study.parallel=2", "start=tiny.py"]
HERE = ["executor=slurm", "executor.mem_gb=0.5", "executor.poll_seconds=1"]
IDENTITY = "autoresearch/smoke/seeds/0"

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(missing() != "", reason=missing())]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with slurm(tmp_path / "slurm") as started:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, started.environment[name])
        yield started


def jobs(cluster, *states):
    """The ids of the jobs in these states, and their nodes."""
    lines = cluster.ask("squeue", "--noheader", f"--states={','.join(states)}", "--format=%A %N").splitlines()
    return dict(line.split() for line in lines)


def wait(holds, study):
    while not (found := holds()):
        assert study.poll() is None, study.communicate()[0]
        time.sleep(0.1)
    return found


def test_a_study_survives_its_own_process_and_a_node_and_doubles_nothing(quick_clone, cluster, smoke):
    constants = "".join(f"{name} = {value}\n" for name, value in smoke[0].task.constants.items())
    (quick_clone.root / "tiny.py").write_text(constants + program(main=TRAINED))
    first = quick_clone.popen(*STUDY, *HERE, cold=True)
    orphan = set(wait(lambda: jobs(cluster, "RUNNING"), first))
    first.kill()
    first.communicate()
    second = quick_clone.popen(*STUDY, *HERE, cold=True)
    assert orphan <= set(wait(lambda: jobs(cluster, "CANCELLED"), second))
    told = quick_clone.study(IDENTITY) / "jobs"
    wait(lambda: len(list(told.glob("progress-*.json"))) == 2, second)  # two trials are under way
    cluster.kill_node(next(iter(jobs(cluster, "RUNNING").values())))
    output, _ = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, output
    assert output.count("NODE_FAIL") == 1
    lines = [json.loads(line) for line in (quick_clone.study(IDENTITY) / FILE).read_text().splitlines()]
    for kind in ("asked", "told"):
        assert sorted(line["number"] for line in lines if line["kind"] == kind) == list(range(TRIALS))
    assert all(line["outcome"]["status"] == Status.COMPLETED for line in lines if line["kind"] == "told")
    assert jobs(cluster, "RUNNING", "PENDING") == {}
    assert not list((quick_clone.study(IDENTITY) / "work").iterdir())
