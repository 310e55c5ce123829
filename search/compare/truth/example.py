"""Simulated experiments in an MLflow store, as studies and confirmations publish themselves.

The example of .github/docs/report.md:

python -m search.compare.truth.example /tmp/example
python -m search.compare experiment=simulated tracking.uri=sqlite:////tmp/example/mlflow.db
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

from search.compare.truth.record import ROLES
from search.compare.truth.trainer import Noise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records
from search.tracking.artifacts import location_of
from search.tracking.colours import COLOURS
from search.tracking.store import connect, sqlite_uri

# True gains: 0.003 by tuning for Optuna, 0.001 by tuning and 0.004 by code for the agent, whose code is 1.2 % faster.
EXAMPLE = World(
    rivals=(
        replace(AGENT, tuning=0.001, code=0.004, between=0.0008, speed=1.012, trials=20, crashes=0.05),
        replace(OPTUNA, tuning=0.003, between=0.0008, trials=20, crashes=0.05),
        CONTROL,
    ),
    noise=Noise(restless=0.01, drift=0.0003),
    at=(10,),
)


def publish_simulated(folder: Path, world: World, seed: int = 0, name: str = "simulated", task: str = "cpu") -> str:
    """Put the experiment, or one more task of it, into a database in `folder`; returns its URI."""
    uri = sqlite_uri(folder.resolve() / "mlflow.db")
    client = connect(uri)
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name, artifact_location=location_of(uri, name))
    studies, confirmation, _ = records(seed, world)
    for header, rows in studies:
        header["config"]["experiment"] = name
        header["identity"] = header["identity"].replace("simulated/cpu", f"{name}/{task}")
        if task != "cpu":
            header["config"]["task"]["name"] = task
            header.update(task={**header["task"], "device": task}, task_fingerprint=task)
        run = _run(client, experiment, "study", header, rows)
        client.log_batch(run, metrics=list(_curves(rows)))
        _winner(client, run, rows)
    if confirmation is not None:
        header, rows, plans = confirmation
        run = _run(client, experiment, "confirmation", header, rows)
        client.log_text(run, json.dumps(plans), "plans.json")
    return uri


def _run(client: MlflowClient, experiment: str, kind: str, header: dict[str, Any], rows: list[Any]) -> str:
    strategy = header["config"]["strategy"]["name"]
    study = kind == "study"
    tags = {
        "kind": kind,
        "fairtrial.study": header["identity"] if study else f"confirmation of {header['config']['experiment']}",
        "strategy": strategy,
        **({"mlflow.runColor": COLOURS[ROLES[strategy]][0]} if study and strategy in ROLES else {}),
    }
    title = f"{header['strategy']}, search seed {header['config']['seed']}" if study else "confirmation"
    run = str(client.create_run(experiment, tags=tags, run_name=title).info.run_id)
    client.log_param(run, "seed", header["config"]["seed"])
    client.log_text(run, json.dumps(header), "study.json")
    client.log_text(run, "".join(json.dumps(row) + "\n" for row in rows), "trials.jsonl")
    client.set_terminated(run)
    return run


def _winner(client: MlflowClient, run: str, rows: list[Any]) -> None:
    """What the winner changed, as far as it is made up: its constants, and a line of code."""
    winner = min((row for row in rows if row["score"] is not None), key=lambda row: row["score"])
    removed = [f"-{name} = {value}" for name, value in winner["constants_before"].items()]
    added = [f"+{name} = {value}" for name, value in winner["constants"].items()]
    code = ["+        x = x + self.gate(x)"] if winner["kind"] in ("code", "both") else []
    lines = ["--- stock/train.py", "+++ winner/train.py", "@@ -1,9 +1,9 @@", *removed, *added, *code]
    client.set_tag(run, "winner_trial", str(winner["number"]))
    client.log_text(run, "\n".join(lines) + "\n", "winner/change_from_stock.diff.txt")


def _curves(rows: list[Any]) -> Any:
    best = None
    for row in rows:
        at, score = int(row["finished"] * 1000), row["val_bpb"]
        if score is None:
            continue
        if row["origin"] == "anchor":
            yield Metric("system/anchor_val_bpb", score, at, row["number"])
            continue
        best = score if best is None else min(best, score)
        yield Metric("trial_val_bpb", score, at, row["number"])
        yield Metric("best_val_bpb", best, at, row["number"])


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    print(publish_simulated(Path(sys.argv[1]), EXAMPLE))
