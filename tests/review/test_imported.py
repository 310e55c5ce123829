"""A log in MLflow is a study of its own kind: made once, readable there, and counted by no comparison."""

from __future__ import annotations

import shutil

from mlflow import MlflowClient

from search.compare.comparison import comparison_of
from search.compare.read.reader import read_experiment
from search.compare.truth.example import publish_simulated
from search.compare.truth.world import CONTROL, World
from search.console import command_line
from search.review.__main__ import COMMAND
from search.tracking.store import all_runs
from tests.review.logs import TABS


def test_an_imported_log_is_shown_and_not_counted(mlflow_file, tmp_path, capsys):
    shutil.copy(mlflow_file, tmp_path / "mlflow.db")
    uri = publish_simulated(tmp_path, World((CONTROL,), confirmed=False, plans=((1, 5),)))
    before = comparison_of(read_experiment(uri, "simulated"))
    log = tmp_path / "night.tsv"
    log.write_text(TABS, encoding="utf-8")
    given = (f"log={log}", f"out={tmp_path / 'page'}", "noise.sd=0.001", "experiment=simulated", f"tracking.uri={uri}")
    for _ in range(2):
        assert command_line.run(COMMAND, given) == 0
    assert "imported into the experiment simulated; no comparison counts it" in capsys.readouterr().out

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("simulated").experiment_id
    (study,) = all_runs(client, experiment, "tags.kind = 'imported'")
    trials = all_runs(client, experiment, f"tags.`mlflow.parentRunId` = '{study.info.run_id}'")
    assert {trial.data.tags["fairtrial.trial"]: trial.data.metrics.get("val_bpb") for trial in trials} == {
        "1": 1.0, "2": 0.99, "3": None, "4": 0.995, "5": 0.9895,
    }  # fmt: skip
    assert all("printed by the program" in run.data.tags["scores"] for run in (study, *trials))
    curve = client.get_metric_history(study.info.run_id, "best_val_bpb")
    assert sorted({(point.step, point.value) for point in curve}) == [(1, 1.0), (2, 0.99), (3, 0.99), (4, 0.99), (5, 0.9895)]
    assert {file.path for file in client.list_artifacts(study.info.run_id)} >= {"report.html", "report.json", "log"}

    after = comparison_of(read_experiment(uri, "simulated"))
    assert after.view.analysis == before.view.analysis and after.verdict == before.verdict
    left_out = "These imported logs are left out, because other programs scored them: imported: night.tsv."
    assert set(after.cautions) - set(before.cautions) == {left_out}
