"""A multirun's studies side by side: who is started when, what is shown, and how they are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from search.config.messages import UserError
from search.config.places import ROOT
from search.console import side_by_side
from search.console.side_by_side import OUTPUT, PARENT, STOP, SideBySide, fair_order, labels

# A worker as the pool makes one: it begins a study in the folder that it is given, and says what signals it hears.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from search.console.side_by_side import begin_study
begin_study(Path(sys.argv[1]))
signal.signal(signal.SIGINT, lambda number, frame: print("heard", flush=True))
print("began", flush=True)
for _ in range(600):
    time.sleep(0.1)
"""


def test_strategies_of_one_seed_run_in_the_same_hours():
    given = ["strategy=seeds,optuna,agent", "task=cpu", "seed=0,1,2"]
    assert fair_order(given) == ["seed=0,1,2", "strategy=seeds,optuna,agent", "task=cpu"]
    studies = [["seed=0", "strategy=agent", "task=cpu"], ["seed=0", "strategy=seeds", "task=cpu"]]
    assert labels(studies) == ["agent", "seeds"] and labels(studies[:1]) == ["seed=0/agent/cpu"]


def worker(sweep, number):
    folder = sweep / str(number)
    folder.mkdir()
    environment = {**os.environ, PARENT: f"{os.getpid()}:{sweep}"}
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], env=environment)
    while not (folder / OUTPUT).is_file() or "began" not in (folder / OUTPUT).read_text():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def test_lines_are_shown_behind_their_studys_name_and_ctrl_c_is_passed_on_once(tmp_path):
    said: list[str] = []
    board = SideBySide(tmp_path, ["0/seeds", "0/optuna"], said.append)
    board.begin()
    workers = [worker(tmp_path, number) for number in range(2)]
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while sum(line.endswith("| heard") for line in said) < 2:
            time.sleep(0.05)
    finally:
        for process in workers:
            process.kill()
            process.wait()
        board.end()
    assert board.stopped and (tmp_path / STOP).exists()
    assert said.count("0/seeds  | began") == said.count("0/optuna | began") == 1
    assert sum("stopping after the running trials" in line for line in said) == 1
    assert PARENT not in os.environ


POOL = """
import os, sys, time
from pathlib import Path
from joblib import Parallel, delayed
from search.console.side_by_side import SideBySide
board = SideBySide(Path(sys.argv[1]), ["one"], print)
board.begin()
def work():
    os.write(1, b"here")
    time.sleep(600)
Parallel(n_jobs=2, backend="loky")(delayed(work)() for _ in range(1))
"""


def test_a_worker_without_a_study_ends_with_its_parent_too(tmp_path):
    """One of two workers has nothing to do."""
    reader, writer = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", POOL, str(tmp_path)], cwd=ROOT, stdout=writer)
    os.close(writer)
    assert os.read(reader, 4) == b"here"
    parent.kill()
    parent.wait()
    while os.read(reader, 100):  # until the last process that writes there is gone
        pass


def test_no_study_begins_once_the_others_are_stopped(tmp_path, monkeypatch):
    (tmp_path / STOP).touch()
    monkeypatch.setenv(PARENT, f"1:{tmp_path}")
    assert side_by_side.in_worker()
    with pytest.raises(UserError, match="not started"):
        side_by_side.begin_study(tmp_path)


def test_studies_of_a_multirun_run_side_by_side(quick_clone):
    done = quick_clone.run("-m", "strategy=seeds,optuna", "task=smoke", "study.trials=1", "experiment=side")
    assert done.returncode == 0, done.stdout
    journals = sorted(quick_clone.study("side").glob("*/*/*/journal.jsonl"))
    assert len(journals) == 2 and "2 studies" in done.stdout and "Traceback" not in done.stdout
    table = done.stdout[done.stdout.rindex("study ") :].splitlines()
    assert sorted(line.split()[:3] for line in table if "side/" in line) == [
        ["side/smoke/optuna-tpe/0", "1", "1"],
        ["side/smoke/seeds/0", "1", "1"],
    ]
    assert done.stdout.count("see it: ") == 1
    for journal in journals:
        (told,) = (line for line in map(json.loads, journal.read_text().splitlines()) if "outcome" in line)
        assert told["outcome"]["status"] == "completed"
