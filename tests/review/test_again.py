"""Kept programs of another harness, run again: start against keeps in blocks, on record, every metric marked as a claim."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time

import numpy as np
import psutil
import pytest
from mlflow import MlflowClient

from search.console import command_line
from search.review.__main__ import COMMAND
from search.review.again.effects import contrast
from search.runner import plain
from search.runner.plain import PlainRun
from search.runner.printed import End
from search.tracking.store import all_runs
from tests.review.nights import make_night, toy
from tests.runner.test_external import walled

MARK = "metric printed by the program"
RAISES = "raise RuntimeError('no such kernel')\n"


def call(log, page, *given):
    usual = [f"log={log}", f"repository={log.parent}", f"out={page}", "noise.sd=0.001", "plain.threads=1"]
    return command_line.run(COMMAND, [*usual, *given])


def told(page):
    return json.loads((page / "report.json").read_text())


def lines(page, kind="run"):
    found = [json.loads(line) for line in (page / "runs.jsonl").read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


@walled
def test_a_night_is_reviewed_run_again_and_imported(tmp_path, mlflow_file, capsys):
    keeps = {1: (toy(0), 1.0), 5: (toy(0.05), 0.95), 9: (RAISES, 0.94), 14: (toy(-0.2), 0.93), 20: (toy(0.1), 0.9)}
    log, page = make_night(tmp_path / "night", keeps), tmp_path / "page"
    log.write_text(log.read_text() + "deadbee\t0.8\t44.0\tkeep\tnot pushed\n")
    shutil.copy(mlflow_file, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    given = ("runner=plain", "keeps=all", "experiment=theirs", f"tracking.uri={uri}")
    assert call(log, page, *given) == 0
    said = capsys.readouterr().out
    sentence = (
        f"2 of 5 keeps hold when run again here ({MARK}), compared with the start; 2 of 4 compared with the keep before."
    )
    assert (
        "to run: 26 runs, about 2.4 h at minutes=5.5 for each: the start once to warm up, then the start and 4 keeps" in said
    )
    assert "the other keeps got these verdicts: fails here (1), a loss here (1), not in the repository (1)." in said
    assert "trial 21 is not run: not in the repository" in said and sentence in said

    again, runs = told(page)["again"], lines(page)
    assert told(page)["verdict"][0] == sentence and again["scores"] == MARK and len(runs) == 26
    held = {effect["trial"]: (effect["gain"]["held"], effect["step"]["held"]) for effect in again["effects"]}
    assert held[5] == ("holds", "holds") and held[9][0] == "fails here" and held[14][0] == "a loss here"
    assert held[20][0] == "holds" and again["missing"] == [[21, "not in the repository"]]
    first = again["effects"][0]
    assert first["gain"]["low"] < 0.05 < first["gain"]["high"] and first["logged"] == pytest.approx(0.05)
    assert again["effects"][1]["why"] == ["failed: exit code 1: RuntimeError: no such kernel"]
    orders = {tuple(run["trial"] for run in runs if run["block"] == block) for block in range(1, 6)}
    assert len(orders) > 1 and all(sorted(order) == [1, 5, 9, 14, 20] for order in orders)
    report = (page / "report.md").read_text()
    assert f"gain here ({MARK})" in report and "RuntimeError: no such kernel" in report

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("theirs").experiment_id
    (study,) = all_runs(client, experiment, "tags.kind = 'imported'")
    (trial,) = all_runs(client, experiment, "tags.`fairtrial.trial` = '5'")
    assert MARK in study.data.tags["again"] and trial.data.tags["again"] == f"holds ({MARK})"
    points = client.get_metric_history(trial.info.run_id, "again/val_bpb")
    assert [(point.step, point.value) for point in points] == sorted(
        (run["block"], run["value"]) for run in runs if run["trial"] == 5
    )


@pytest.fixture
def instant(monkeypatch):
    """Programs that take no time: what they print depends on their constant, and on how often one was run. Returns how many
    were, and at which of them Ctrl-C is pressed."""
    state = {"ran": 0, "stop": None}

    def run(folder, way, metric, seconds, waiting):
        state["ran"] += 1
        if state["ran"] == state["stop"]:
            raise KeyboardInterrupt
        gain = float((folder / "train.py").read_text().partition("GAIN = ")[2].partition("\n")[0])
        return PlainRun(End.SCORED, 1 - gain + state["ran"] / 1e6, "", 1.0, "cpu", "")

    monkeypatch.setattr(plain, "run", run)
    monkeypatch.setattr(plain, "check", lambda way: None)
    return state


@pytest.fixture
def night(tmp_path):
    keeps = {1: (toy(0), 1.0), 2: (toy(0.05), 0.95), 3: (toy(0.01), 0.94)}
    return make_night(tmp_path / "night", keeps, commits=3), tmp_path / "page"


def test_what_is_stopped_says_so_and_goes_on(night, instant, capsys):
    log, page = night
    instant["stop"] = 5
    assert call(log, page, "runner=plain") == 130
    assert told(page)["verdict"][0].startswith("Not finished: 4 runs done, 7 to go")
    assert told(page)["again"]["effects"][0]["gain"]["held"] == "not finished" and len(lines(page, "interrupted")) == 1
    with (page / "runs.jsonl").open("a") as record:
        record.write('{"kind": "run", "blo')
    assert call(log, page, "runner=plain") == 0
    said = capsys.readouterr().out
    assert "dropped a torn last line" in said and "to run: 7 runs, about 7.0 s at the time that the start took" in said
    assert "The keep of trial 3 holds when run again here: +0.01" in said and MARK in said
    assert len(lines(page)) == 11 and instant["ran"] == 12
    before = (page / "runs.jsonl").read_bytes()
    assert call(log, page, "runner=plain") == 0 and (page / "runs.jsonl").read_bytes() == before


def test_repeats_are_added_and_widen_the_intervals_and_nothing_else_changes(night, instant, capsys):
    log, page = night
    assert call(log, page, "runner=plain") == 0
    assert call(log, page, "runner=plain", "repeats=6") == 0
    again = told(page)["again"]
    assert again["looks"] == 2 and again["effects"][0]["gain"]["blocks"] == 6 and len(lines(page)) == 13
    assert "2 looks" in (page / "report.md").read_text()
    other = "these runs began with plain.command=python train.py, but now it is python other.py"
    for given, why in (
        (("repeats=5",), "repeats=5: 6 were planned"),
        (("repeats=6", "keeps=all"), "these runs began with programs="),
        (("repeats=6", "plain.command=python other.py"), other),
    ):
        assert call(log, page, "runner=plain", *given) == 1
        assert why in capsys.readouterr().err


def test_a_start_that_does_not_run_ends_it_before_hours_are_spent(tmp_path, capsys):
    log, page = make_night(tmp_path / "night", {1: (RAISES, 1.0), 2: (toy(0.05), 0.95)}, commits=2), tmp_path / "page"
    assert call(log, page, "runner=plain", "sandbox=none") == 1
    error = capsys.readouterr().err
    assert "the start does not run here (failed: exit code 1: RuntimeError: no such kernel)" in error
    assert len(lines(page)) == 1 and told(page)["verdict"][0].startswith("Running again showed nothing")
    assert "no such kernel" in (page / lines(page)[0]["output"]).read_text()


@walled
def test_ctrl_c_leaves_no_process(tmp_path, capsys):
    token = f"token_of_{tmp_path.name}"
    child = f"import time; time.sleep(99)  # {token}"
    program = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', '{child}'])\ntime.sleep(99)\n"
    log, page = make_night(tmp_path / "night", {1: (program, 1.0), 2: (toy(0.05), 0.95)}, commits=2), tmp_path / "page"

    def interrupt():
        deadline = time.monotonic() + 60
        while not running(token) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert call(log, page, "runner=plain") == 130
    assert "run the same command to resume" in capsys.readouterr().err and not running(token)
    assert len(lines(page, "interrupted")) == 1 and (page / "report.html").is_file()


def running(token):
    found = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return [words for words in found if any(token in word for word in words)]


def test_of_keeps_that_are_none_at_most_one_in_twenty_nights_has_one_that_holds():
    random, nights, false = np.random.default_rng(3), 400, 0
    for _ in range(nights):
        sds = np.exp(0.5 * random.standard_normal(5))  # programs differ in their noise
        scores = 1 + 0.01 * sds * random.standard_normal((5, 5)) + 0.01 * random.standard_normal((5, 1))
        blocks = [{trial: {"value": value} for trial, value in enumerate(row)} for row in scores]
        false += any(contrast(blocks, trial, 0, 1, tests=4).held == "holds" for trial in range(1, 5))
    assert false / nights < 0.025 + 3 * (0.025 * 0.975 / nights) ** 0.5  # one side of the interval
