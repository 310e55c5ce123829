"""MLflow shows what the journal holds, once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from search.config.messages import UserError
from search.console.run_study import make_strategy
from search.data.tokens import prepare_data
from search.runner.stock import stock_of
from search.study.budget import Budget
from search.study.identity import Opening, open_study
from search.study.journal import Journal
from search.study.study import Study
from search.study.trial import Status
from search.testing.synthetic import FailsOn, Silent, SyntheticRunner
from search.tracking import publisher as publisher_module
from search.tracking import store
from search.tracking.publisher import MlflowPublisher


@pytest.fixture
def publish(configure, mlflow_file, tmp_path, monkeypatch):
    """Run a study of a few synthetic trials in a folder of its own, published to a database there."""
    monkeypatch.setattr(store, "MLRUNS", tmp_path / "mlruns")
    (tmp_path / "mlruns").mkdir()
    shutil.copy(mlflow_file, tmp_path / "mlruns" / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"

    def run(trials: int, *overrides: str, break_at: int | None = None, runner: SyntheticRunner | None = None):
        config = configure("task=smoke", "experiment=test", f"study.trials={trials}", f"tracking.uri={uri}", *overrides)
        said: list[str] = []
        with Journal(tmp_path / "study" / config.strategy_name, said.append) as journal:
            prepared = prepare_data(config, said.append)
            open_study(config, Opening(stock_of(config), prepared.fingerprint, "none"), journal)
            with monkeypatch.context() as patch:
                patch.setattr(publisher_module, "connect", lambda uri: Broken(store.connect(uri)))
                publisher = MlflowPublisher(config.tracking.uri, journal, said.append)
            publisher._study.client.calls = float("inf") if break_at is None else break_at
            stock = stock_of(config).text
            study = Study(
                make_strategy(config, stock, None, tmp_path),
                runner or FailsOn(fails=lambda number: number == 2),
                journal,
                publisher,
                Silent(),
                Budget(config.study),
                stock,
                0,
                0.0,
            )
            study.run()
            publisher.close("FINISHED")
        return publisher, said

    run.client = MlflowClient(uri)
    return run


class Broken:
    """A client whose server goes away after so many calls."""

    def __init__(self, client: MlflowClient) -> None:
        self.client, self.calls = client, float("inf")

    def __getattr__(self, name):
        self.calls -= 1
        if self.calls < 0:
            raise MlflowException("connection lost")
        return getattr(self.client, name)


def runs_of(client, kind):
    experiment = client.get_experiment_by_name("test").experiment_id
    return client.search_runs([experiment], f"tags.kind = '{kind}'", order_by=["attributes.start_time ASC"])


def artifact(client, run, path, tmp_path):
    return (tmp_path / client.download_artifacts(run.info.run_id, path, tmp_path)).read_text()


def test_one_parent_per_study_and_one_nested_run_per_trial(publish, tmp_path):
    publish(5, "strategy=optuna")
    (parent,) = runs_of(publish.client, "study")
    trials = runs_of(publish.client, "trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2", "3", "4"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert parent.data.tags["strategy"] == "optuna" and parent.data.params["strategy_name"] == "optuna"
    assert parent.data.tags["mlflow.runColor"] and parent.info.status == "FINISHED"
    assert trials[2].info.status == "FAILED" and "val_bpb" not in trials[2].data.metrics
    assert trials[1].data.tags["kind_of_change"] == "constants" and trials[1].data.params["DEPTH"]
    assert trials[0].data.tags["kind_of_change"] == "none"

    curve = publish.client.get_metric_history(parent.info.run_id, "best_val_bpb")
    scores = publish.client.get_metric_history(parent.info.run_id, "trial_val_bpb")
    assert [point.step for point in curve] == [0, 1, 2, 3, 4]
    assert [point.step for point in scores] == [0, 1, 3, 4]
    assert min(point.value for point in scores) == curve[-1].value

    rows = [json.loads(line) for line in artifact(publish.client, parent, "trials.jsonl", tmp_path).splitlines()]
    assert [row["status"] for row in rows].count(Status.COMPLETED) == 4 and rows[2]["val_bpb"] is None
    winner = min((row for row in rows if row["val_bpb"]), key=lambda row: row["val_bpb"])
    assert parent.data.tags["winner_trial"] == str(winner["number"])
    text = artifact(publish.client, trials[winner["number"]], "train.py", tmp_path)
    assert artifact(publish.client, parent, "winner/train.py", tmp_path) == text
    assert "def build_model" in text
    assert json.loads(artifact(publish.client, parent, "study.json", tmp_path))["config"]["task"]["name"] == "smoke"
    assert "@@" in artifact(publish.client, trials[1], "change_from_stock.diff.txt", tmp_path)


def test_other_code_that_a_study_went_on_under_is_shown(publish, configure, tmp_path):
    publish(2)
    with Journal(tmp_path / "study" / "seeds", print) as journal:
        went_on = {"hash": "h1", "files": ["search/study/study.py"], "trial": 2}
        journal.append("accepted", **went_on, code=journal.header["code"])
    publish(2)
    (parent,) = runs_of(publish.client, "study")
    assert parent.data.tags["accepted_harness"] == "h1 from trial 2"
    assert json.loads(artifact(publish.client, parent, "study.json", tmp_path))["accepted"] == [went_on]


@dataclass
class Measured(SyntheticRunner):
    """The same scores, with what a trial on a GPU has on record beside them."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        return replace(
            outcome,
            device="NVIDIA H100 80GB HBM3 GPU-1",
            tokens=4_000_000,
            field_bpb=outcome.val_bpb - 0.01,
            audit_sd=0.002,
            audit_max=0.03,
            telemetry={"sm_clock_mhz": 1900.0, "throttled_share": 0.25},
            described={"attention": "flash", "flops_per_token": 98_950_000},
            probe_before=100.0,
            probe_after=90.0,
        )


def test_what_was_measured_beside_the_score_is_published(publish, tmp_path):
    publish(2, runner=Measured())
    known, _ = runs_of(publish.client, "trial")
    metrics = known.data.metrics
    assert metrics["field_bpb"] == pytest.approx(metrics["val_bpb"] - 0.01)
    assert (metrics["audit_sd"], metrics["audit_max"]) == (0.002, 0.03)
    assert (metrics["telemetry/sm_clock_mhz"], metrics["telemetry/throttled_share"]) == (1900.0, 0.25)
    assert (metrics["probe/before"], metrics["probe/after"]) == (100.0, 90.0)
    assert metrics["described/flops_per_token"] == 98_950_000 and known.data.tags["described.attention"] == "flash"

    (parent,) = runs_of(publish.client, "study")
    rows = [json.loads(line) for line in artifact(publish.client, parent, "trials.jsonl", tmp_path).splitlines()]
    assert rows[0]["telemetry"] == {"sm_clock_mhz": 1900.0, "throttled_share": 0.25}
    assert (rows[0]["audit_sd"], rows[0]["audit_max"], rows[0]["device"]) == (0.002, 0.03, "NVIDIA H100 80GB HBM3 GPU-1")
    assert (rows[0]["probe_before"], rows[0]["probe_after"]) == (100.0, 90.0)
    assert rows[0]["field_bpb"] == pytest.approx(rows[0]["val_bpb"] - 0.01)


def snapshot(client):
    """Everything there is, as comparable values."""
    runs = runs_of(client, "study") + runs_of(client, "trial")
    histories = {
        (run.info.run_id, name): [(p.step, p.value, p.timestamp) for p in client.get_metric_history(run.info.run_id, name)]
        for run in runs
        for name in run.data.metrics
    }
    return {run.info.run_id: (run.data.params, run.data.tags) for run in runs}, histories


def test_publishing_twice_changes_nothing(publish, tmp_path):
    publish(4)
    before = snapshot(publish.client)
    (tmp_path / "study" / "seeds" / "published.jsonl").unlink()
    publish(4)
    assert snapshot(publish.client) == before


@pytest.mark.parametrize("break_at", [0, 4, 9, 17])
def test_an_outage_is_made_up_for_by_the_next_start(publish, break_at):
    publisher, said = publish(4, break_at=break_at)
    assert publisher.behind and any("catch up" in text for text in said)
    publisher, _ = publish(4)
    assert not publisher.behind
    trials = runs_of(publish.client, "trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2", "3"]
    parent = runs_of(publish.client, "study")[0].info.run_id
    assert [point.step for point in publish.client.get_metric_history(parent, "best_val_bpb")] == [0, 1, 2, 3]


def test_what_lies_beside_a_journal_is_published_without_a_new_trial(publish, tmp_path):
    publish(2)
    plans = tmp_path / "study" / "seeds" / "attachments" / "plans.json"
    plans.parent.mkdir()
    plans.write_text("[]")
    publish(2)
    assert artifact(publish.client, runs_of(publish.client, "study")[0], "plans.json", tmp_path) == "[]"


def test_a_deleted_experiment_is_named(publish):
    publish(2)
    publish.client.delete_experiment(publish.client.get_experiment_by_name("test").experiment_id)
    with pytest.raises(UserError, match="deleted in MLflow"):
        publish(3)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/nowhere/mlflow.db"])
def test_a_store_that_cannot_be_used_stops_before_anything_is_spent(publish, uri):
    with pytest.raises(UserError, match=r"tracking\.uri="):
        publish(2, f"tracking.uri={uri}")
