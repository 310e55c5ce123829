"""MLflow shows what the journal holds, once."""

from __future__ import annotations

import json
import re
import resource
import shutil
from dataclasses import dataclass, replace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service import utils

from search.compare.read.reader import read_experiment
from search.config.messages import UserError
from search.console.conduct import finish
from search.study.contract import Done
from search.study.journal import FILE, Journal
from search.study.trial import Candidate, Status
from search.testing.synthetic import Several, SyntheticRunner
from search.tracking import ledger as ledger_module
from search.tracking import store
from search.tracking.files import SENT
from search.tracking.row_maker import RowMaker
from search.tracking.views import TAG
from search.tracking.words import NOTE


class Broken:
    """A client whose server goes away after so many calls, once the study's run is there."""

    def __init__(self, client, calls):
        self.client, self.calls, self.open = client, calls, False

    def __getattr__(self, name):
        self.calls -= self.open
        if self.calls < 0:
            raise MlflowException("connection lost")
        self.open = self.open or name == "update_run"
        return getattr(self.client, name)


@dataclass
class Proposes:
    """These programs, one after the other."""

    texts: list

    def ask(self, history, pending, noise_floor):
        number = len(history) + len(pending) - 1
        return Candidate(self.texts[number], parent=0) if number < len(self.texts) else Done("no more")

    def tell(self, trial):
        return None


def test_one_parent_per_study_and_one_nested_run_per_trial(publish):
    publish(5, "strategy=optuna")
    (parent,) = publish.runs("study")
    trials = publish.runs("trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2", "3", "4"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert parent.data.tags["strategy"] == "optuna" and parent.data.params["strategy_name"] == "optuna"
    assert parent.data.tags["mlflow.runColor"] and parent.info.status == "FINISHED"
    assert trials[2].info.status == "FAILED" and "val_bpb" not in trials[2].data.metrics
    assert trials[1].data.tags["kind_of_change"] == "constants" and trials[1].data.params["DEPTH"]
    assert trials[0].data.tags["kind_of_change"] == "none"
    shared = json.loads(publish.store.get_experiment(parent.info.experiment_id).tags[TAG])
    (chart,) = json.loads(shared["state"])["compareRunCharts"]  # which has a line for every trial that has all of these
    assert set(chart["selectedParams"]) <= trials[1].data.params.keys() and chart["selectedMetrics"] == ["val_bpb"]
    assert "viewStateShareKey" in parent.data.tags[NOTE]

    curve = publish.store.get_metric_history(parent.info.run_id, "best_val_bpb")
    scores = publish.store.get_metric_history(parent.info.run_id, "trial_val_bpb")
    assert [point.step for point in curve] == [0, 1, 2, 3, 4]
    assert [point.step for point in scores] == [0, 1, 3, 4]
    assert min(point.value for point in scores) == curve[-1].value

    rows = [json.loads(line) for line in publish.artifact(parent, "trials.jsonl").splitlines()]
    assert [row["status"] for row in rows].count(Status.COMPLETED) == 4 and rows[2]["val_bpb"] is None
    assert rows[1]["changed"].keys() == rows[1]["touched"].keys() and rows[1]["code"] == {} and rows[1]["repeats"] == []
    winner = min((row for row in rows if row["val_bpb"]), key=lambda row: row["val_bpb"])
    assert parent.data.tags["winner_trial"] == str(winner["number"])
    text = publish.artifact(trials[winner["number"]], "train.py")
    assert publish.artifact(parent, "winner/train.py") == text
    assert "def build_model" in text
    assert json.loads(publish.artifact(parent, "study.json"))["config"]["task"]["name"] == "smoke"
    assert "@@" in publish.artifact(trials[1], "change_from_stock.diff.txt")


@pytest.mark.parametrize("ledger", ["kept", "lost"])
def test_trials_that_end_in_another_order_are_published_once_and_listed_by_number(publish, ledger):
    several = Several(parallel=3, order=3)
    for trials in (4, 7):
        publish(trials, "strategy=optuna", several=several)
        if ledger == "lost":
            next(publish.folder.rglob(ledger_module.FILE)).unlink()
    with Journal(next(publish.folder.rglob(FILE)).parent, print) as journal:
        told = [entry.number for entry in journal.entries]
    assert sorted(told) == list(range(7)) != told
    (parent,) = publish.runs("study")
    assert sorted(int(run.data.tags["fairtrial.trial"]) for run in publish.runs("trial")) == list(range(7))
    rows = [json.loads(line) for line in publish.artifact(parent, "trials.jsonl").splitlines()]
    assert [row["number"] for row in rows] == list(range(7))
    kept = max((row for row in rows if row["kept"]), key=lambda row: told.index(row["number"]))
    assert parent.data.tags["winner_trial"] == str(kept["number"])
    assert read_experiment(publish.uri, "test").studies[0].winner.number == kept["number"]


def test_other_code_that_a_study_went_on_under_is_shown(publish, tmp_path):
    publish(2)
    with Journal(tmp_path / "study" / "seeds", print) as journal:
        went_on = {"hash": "h1", "files": ["search/study/study.py"], "trial": 2}
        journal.append("accepted", **went_on, code=journal.header["code"])
    publish(2)
    (parent,) = publish.runs("study")
    assert parent.data.tags["accepted_harness"] == "h1 from trial 2"
    assert json.loads(publish.artifact(parent, "study.json"))["accepted"] == [went_on]


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


def test_what_was_measured_beside_the_score_is_published(publish):
    publish(2, runner=Measured())
    known, _ = publish.runs("trial")
    metrics = known.data.metrics
    assert metrics["system/field_bpb"] == pytest.approx(metrics["val_bpb"] - 0.01)
    assert (metrics["system/audit_sd"], metrics["system/audit_max"]) == (0.002, 0.03)
    assert (metrics["system/sm_clock_mhz"], metrics["system/throttled_share"]) == (1900.0, 0.25)
    assert (metrics["system/probe_before"], metrics["system/probe_after"]) == (100.0, 90.0)
    assert metrics["system/program_flops_per_token"] == 98_950_000 and known.data.tags["described.attention"] == "flash"

    (parent,) = publish.runs("study")
    rows = [json.loads(line) for line in publish.artifact(parent, "trials.jsonl").splitlines()]
    assert rows[0]["telemetry"] == {"sm_clock_mhz": 1900.0, "throttled_share": 0.25}
    assert (rows[0]["audit_sd"], rows[0]["audit_max"], rows[0]["device"]) == (0.002, 0.03, "NVIDIA H100 80GB HBM3 GPU-1")
    assert (rows[0]["probe_before"], rows[0]["probe_after"]) == (100.0, 90.0)
    assert rows[0]["field_bpb"] == pytest.approx(rows[0]["val_bpb"] - 0.01)


def test_a_studys_page_begins_with_its_result_and_knows_where_it_comes_from(publish):
    publish.status = "KILLED"
    publish(3, "strategy=optuna")
    (parent,) = publish.runs("study")
    assert parent.data.tags[NOTE].startswith("- **Best so far: val_bpb ")
    publish.status = "FINISHED"
    publish(5, "strategy=optuna")
    (parent,) = publish.runs("study")
    best, gain, following, *rest = parent.data.tags[NOTE].splitlines()
    assert best.startswith("- **Best: val_bpb ") and "unconfirmed" in gain and "search.confirm experiment=test" in following
    assert rest.count("---") == 1 and "best_val_bpb" in rest[-1]
    assert parent.data.tags["mlflow.user"] and parent.data.tags["mlflow.source.name"] == "python -m search"
    (text,) = parent.inputs.dataset_inputs
    assert text.dataset.name == "python" and text.dataset.digest
    assert {name for name in parent.data.metrics if "/" not in name} == {"best_val_bpb", "trial_val_bpb"}
    assert not [name for name in parent.data.metrics if "llm" in name]
    names = [run.info.run_name for run in publish.runs("trial")]
    assert all(len(name) <= 40 for name in names) and any(re.search(r"=\S+ \+\d more$", name) for name in names)


def snapshot(publish):
    """Everything there is, as comparable values."""
    client, runs = publish.store, publish.runs("study") + publish.runs("trial")
    histories = {
        (run.info.run_id, name): [(p.step, p.value, p.timestamp) for p in client.get_metric_history(run.info.run_id, name)]
        for run in runs
        for name in run.data.metrics
    }
    return {run.info.run_id: (run.data.params, run.data.tags) for run in runs}, histories


def test_publishing_twice_changes_nothing(publish):
    publish(4)
    before = snapshot(publish)
    (publish.folder / "study" / "seeds" / "published.jsonl").unlink()
    publish(4)
    assert snapshot(publish) == before


@pytest.mark.parametrize("break_at", [0, 4, 9, 17])
def test_an_outage_is_made_up_for_by_the_next_start(publish, break_at):
    publish.client = lambda client: Broken(client, break_at)
    assert publish(4).behind and any("catch up" in text for text in publish.said)
    publish.client = lambda client: client
    assert not publish(4).behind
    trials = publish.runs("trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2", "3"]
    parent = publish.runs("study")[0].info.run_id
    assert [point.step for point in publish.store.get_metric_history(parent, "best_val_bpb")] == [0, 1, 2, 3]


def test_what_lies_beside_a_journal_is_published_without_a_new_trial(publish):
    publish(2)
    plans = publish.folder / "study" / "seeds" / "attachments" / "plans.json"
    plans.parent.mkdir()
    plans.write_text("[]")
    publish(2)
    assert publish.artifact(publish.runs("study")[0], "plans.json") == "[]"


def test_a_row_is_computed_once_in_all_starts_together(publish, monkeypatch):
    computed = []
    make = RowMaker.make
    monkeypatch.setattr(RowMaker, "make", lambda maker, job: computed.append(job.entry.number) or make(maker, job))
    publish(4)
    publish(6)
    assert computed == [0, 1, 2, 3, 4, 5]
    rows = publish.artifact(publish.runs("study")[0], "trials.jsonl").splitlines()
    assert [json.loads(row)["number"] for row in rows] == computed


def test_what_mlflow_refuses_is_left_out_of_its_trial_and_named(publish):
    stock = SyntheticRunner()
    publish(1, runner=stock)
    text = stock.requests[0].source
    odd = [f"{text}\n{'A' * 300} = 1\n", f'{text}\nSEPARATOR = "\\ud800"\nNUL = "\\0"\n', f"{text}\nLAST = 3\n"]
    assert not publish(4, strategy=Proposes(odd), runner=stock).behind
    long, half, last = publish.runs("trial")[1:]
    assert last.info.status == "FINISHED" and last.data.params["LAST"] == "3"
    assert all(run.data.params["DEPTH"] and run.data.tags["status"] for run in (long, half))
    told = "\n".join(publish.said)
    assert "of trial 1: AAAA" in told and "(300 letters)" in told and "of trial 2: SEPARATOR, NUL; the rest" in told


def files_in(folder):
    """What is in all files of a store, but for the lock that this checkout's commands share."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".mlflow.lock"}


@pytest.mark.parametrize("keep_old", [False, True], ids=["moved", "copied"])
def test_a_store_that_is_moved_or_copied_keeps_its_artifacts_and_its_studies(publish, keep_old):
    publish(3)
    old, new = publish.folder / "mlruns", publish.folder / "a%20b?c#d e" / "mlruns"
    shutil.copytree(old, new)
    before = files_in(old)
    if not keep_old:
        shutil.rmtree(old)
    publish.uri = store.sqlite_uri(new / "mlflow.db")
    utils._artifact_repos_cache.clear()  # MLflow's, by run: a new place is a new process
    assert len(read_experiment(publish.uri, "test").studies[0].rows) == 3
    assert not publish(4).behind
    assert [run.data.tags["fairtrial.trial"] for run in publish.runs("trial")] == ["0", "1", "2", "3"]
    assert all("def build_model" in publish.artifact(run, "train.py") for run in publish.runs("trial"))
    assert files_in(old) == (before if keep_old else {})  # nothing is written to the old place


def test_artifacts_that_were_left_behind_are_named(publish):
    publish(2)
    shutil.move(publish.folder / "mlruns" / "artifacts", publish.folder / "elsewhere")
    with pytest.raises(UserError, match=r"has its artifacts in .*/mlruns/artifacts/test/"):
        read_experiment(publish.uri, "test")


def test_a_deleted_experiment_is_named(publish):
    publish(2)
    publish.store.delete_experiment(publish.store.get_experiment_by_name("test").experiment_id)
    with pytest.raises(UserError, match="deleted in MLflow"):
        publish(3)


def test_what_mlflow_does_not_take_at_the_end_is_said_in_its_words(publish):
    experiment = publish.store.create_experiment("test")
    publish.ran = lambda: publish.store.delete_experiment(experiment)
    publisher = publish(2)
    with pytest.raises(UserError, match=r"did not accept all of the study \(.*deleted"):
        finish(False, publisher, publish.uri, publish.folder)


def test_a_file_that_cannot_be_written_is_told_in_one_line_without_a_servers_remedy(publish, capfd):
    store.connect(publish.uri)
    size = (publish.folder / "mlruns" / "mlflow.db").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
    try:
        with pytest.raises(UserError, match="disk's space"):
            publish(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_a_killed_process_was_sending_is_removed_by_the_next(publish):
    left = publish.folder / "study" / "seeds" / SENT / "train.py"
    left.parent.mkdir(parents=True)
    left.write_text("x")
    publish(2)
    assert not list(left.parent.iterdir())
    assert "train.py" not in [file.path for file in publish.store.list_artifacts(publish.runs("study")[0].info.run_id)]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/nowhere/mlflow.db"])
def test_a_store_that_cannot_be_used_stops_before_anything_is_spent(publish, uri):
    with pytest.raises(UserError, match=r"tracking\.uri="):
        publish(2, f"tracking.uri={uri}")
