"""Curves and reliability by hand, and the way from MLflow to tables."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from search import plan
from search.compare.analyse.analysis import analyse
from search.compare.analyse.curves import medians, study_curve
from search.compare.analyse.importance import importance
from search.compare.analyse.studies import reliability_of
from search.compare.read.reader import read_experiment
from search.compare.read.tables import StudyTable
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records, simulate
from search.config.messages import UserError
from search.config.places import ROOT
from search.console import command_line
from search.study.code import DECIDING
from search.tracking import store
from search.tracking.artifacts import location_of

SMALL = World((replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=4)), plans=((2, 2),))


def study_of(scores, hours, anchors=(), usd=None) -> StudyTable:
    study = simulate(0, SMALL)[0].studies[0]
    rows = [
        replace(
            study.rows[1],
            number=number,
            origin="anchor" if number in anchors else "strategy",
            status="crashed" if score is None else "completed",
            val_bpb=score,
            score=None if number in anchors else score,
            train_seconds=3600 * hour,
            asked_llm=usd is not None,
            usd=usd,
        )
        for number, (score, hour) in enumerate(zip(scores, hours, strict=True))
    ]
    return replace(study, rows=tuple(rows))


def test_the_constant_that_decides_is_the_most_important_one():
    study, draw = study_of([2.0] * 40, [1.0] * 40), random.Random(0)
    drawn = [{"A": draw.uniform(0.1, 1.0), "B": 2 ** draw.randint(4, 8), "C": draw.choice("XY")} for _ in study.rows]
    rows = [
        replace(row, constants=constants, constants_before={"A": 0.5, "B": 16, "C": "X"}, val_bpb=2.0 + constants["A"])
        for row, constants in zip(study.rows, drawn, strict=True)
    ]
    space = {
        "A": {"kind": "float", "low": 0.1, "high": 1.0, "log": True},
        "B": {"kind": "power_of_two", "low": 16, "high": 256},
        "C": {"kind": "choice", "values": ["X", "Y"]},
    }
    header = {"config": {"strategy": {"space": space}}}
    shares = importance(replace(study, header=header, rows=tuple(rows)))
    assert next(iter(shares)) == "A" and shares["A"] > 0.6 and sum(shares.values()) == pytest.approx(1)
    assert not importance(replace(study, header=header, rows=tuple(rows[:24])))  # too few
    assert not importance(replace(study, header={"config": {"strategy": {}}}, rows=tuple(rows)))  # no tuner


# ---- curves ----


def test_a_curve_by_hand():
    curve = study_curve(study_of([3.0, None, 2.0, 1.0, 2.5], [1, 2, 3, 4, 5], anchors=(3,), usd=0.5))
    assert curve.trial == (0, 1, 2, 4) and curve.hours == (1, 3, 6, 15)
    assert curve.score == (3.0, None, 2.0, 2.5) and curve.best == (3.0, 3.0, 2.0, 2.0)
    assert curve.usd == (0.5, 1.0, 1.5, 2.5)


def test_dollars_are_none_where_one_price_is_unknown():
    study = study_of([3.0, 2.0], [1, 1], usd=0.5)
    rows = (replace(study.rows[0], usd=None), study.rows[1])
    assert study_curve(replace(study, rows=rows)).usd is None
    assert study_curve(study_of([3.0], [1])).usd == (0.0,)


def test_medians_reach_as_far_as_all_searches_do():
    curves = [study_curve(study_of([None, 3.0, 2.0, 1.0], [1, 1, 1, 1])), study_curve(study_of([4.0, 4.0, 1.0], [1, 1, 3]))]
    by_axis = {median.axis: median for median in medians(curves)}
    assert by_axis["trials"].x == (1, 2) and by_axis["trials"].best == (3.5, 1.5)
    hours = by_axis["hours"]
    assert (hours.x[0], hours.x[-1], hours.best[0], hours.best[-1]) == (2, 4, 3.5, 2.5)
    assert "usd" not in by_axis


# ---- reliability ----


def test_reliability_by_hand():
    experiment = simulate(0, SMALL)[0]
    study = experiment.of("agent-playbook")[0]
    first, second, third, fourth = study.rows
    rows = (
        replace(first, kept=True, doubts=("below_floor",)),
        replace(second, kind="code", kept=True),
        replace(
            third,
            status="unusable",
            val_bpb=None,
            score=None,
            kind=None,
            kept=False,
            seconds={},
            finished=third.started,
        ),
        replace(fourth, status="out_of_memory", val_bpb=None, score=None, kind="both", kept=False, flags=("sets_seed",)),
    )
    found = reliability_of(replace(experiment, studies=(replace(study, rows=rows),)), "agent-playbook")
    assert found.statuses == {"completed": 2, "unusable": 1, "out_of_memory": 1}
    assert found.role == "agent"
    assert (found.tried, found.kept) == ({"code": 1, "both": 1}, {"code": 1})
    assert found.flags == {"sets_seed": 1, "below_floor": 1}
    assert found.llm_seconds == 12.0 and found.llm_usd == pytest.approx(0.03) and found.llm_calls == 3
    assert found.seconds["train"] == pytest.approx(900) and found.hours == pytest.approx(3 * 330 / 3600)
    assert reliability_of(experiment, "optuna-tpe").llm_seconds is None


def test_a_program_that_another_training_run_confirmed_was_kept():
    experiment = simulate(0, SMALL)[0]
    study = experiment.of("agent-playbook")[0]
    stock, claim, again, other = study.rows
    rows = (
        stock,
        replace(claim, kind="code", kept=False),
        replace(again, kind="none", kept=True, source=claim.source),
        replace(other, kind="code", kept=False),
    )
    found = reliability_of(replace(experiment, studies=(replace(study, rows=rows),)), "agent-playbook")
    assert (found.tried, found.kept) == ({"code": 2}, {"code": 1})


# ---- MLflow ----


@pytest.fixture
def published(tmp_path, monkeypatch, mlflow_file):
    """A database with simulated studies, of two tasks, and their confirmation."""
    monkeypatch.setattr(store, "MLRUNS", tmp_path)
    shutil.copy(mlflow_file, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client: MlflowClient = store.connect(uri)
    experiment = store.experiment_id(client, "simulated", location_of(uri, "simulated"))

    def run(kind, header, rows, plans=None):
        run_id = client.create_run(experiment, tags={"kind": kind}).info.run_id
        client.log_text(run_id, json.dumps(header), "study.json")
        if rows:
            client.log_text(run_id, "".join(json.dumps(row) + "\n" for row in rows), "trials.jsonl")
        if plans:
            client.log_text(run_id, json.dumps(plans), "plans.json")

    studies, confirmation, _ = records(0, SMALL)
    for header, rows in studies:
        run("study", header, rows)
    run("confirmation", *confirmation)
    return uri, studies, run


def test_what_is_read_is_what_was_published(published):
    uri, _, _ = published
    experiment = read_experiment(uri, "simulated")
    assert experiment == simulate(0, SMALL)[0]
    assert analyse(experiment) == analyse(simulate(0, SMALL)[0])


def test_another_task_is_refused_or_left_out(published):
    uri, studies, run = published
    header, rows = studies[0]
    other = {**header, "task_fingerprint": "other", "task": {"device": "cuda"}, "identity": "simulated/gpu/x/0"}
    run("study", {**other, "config": {**header["config"], "task": {"name": "gpu"}}}, rows)
    with pytest.raises(UserError, match="are different tasks"):
        read_experiment(uri, "simulated")
    assert read_experiment(uri, "simulated", task="cpu").task == "cpu"
    assert [study.identity for study in read_experiment(uri, "simulated", task="gpu").studies] == ["simulated/gpu/x/0"]


def test_a_study_without_a_finished_trial_is_left_out_and_named(published):
    uri, studies, run = published
    run("study", {**studies[0][0], "identity": "simulated/cpu/agent-playbook/9"}, [])
    experiment = read_experiment(uri, "simulated")
    assert experiment.empty == ("simulated/cpu/agent-playbook/9",)


def test_an_unknown_experiment_is_named(published):
    with pytest.raises(UserError, match="experiment=other"):
        read_experiment(published[0], "other")


def test_planning_reads_the_measured_noise(published, capsys):
    command_line.run(plan.COMMAND, ["experiment=simulated", f"tracking.uri={published[0]}", "difference=0.01"])
    assert "measured, to 3 degrees of freedom" in capsys.readouterr().out


def test_what_only_shows_or_compares_is_no_part_of_a_studys_identity():
    rooms = {path.name for path in (ROOT / "search").iterdir() if (path / "__init__.py").is_file()}
    showing = {"archive", "bench", "compare", "confirm", "page", "review", "testing", "tracking", "transfer"}
    assert rooms - set(DECIDING) == {"config", "console", *showing}


def test_a_step_that_gained_less_than_the_noise_floor_is_marked():
    analysis = analyse(simulate(0, World((replace(AGENT, code=0.004), OPTUNA, CONTROL), plans=((1, 2),)))[0])
    for study in analysis.studies:
        for edit in study.edits:  # each is of the stock
            stock = next(curve.score[0] for curve in analysis.curves if curve.study == study.study)
            assert edit.within_noise is (stock - edit.val_bpb < analysis.noise.sd.sd)
    assert any(edit.within_noise is False for study in analysis.studies for edit in study.edits)
