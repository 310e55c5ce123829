"""The commands as a user gives them: real processes in a copy of the repository."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from search.config.places import ROOT
from search.study.journal import FILE
from tests.servers.llm import Answer, serve

ERRORS = [
    (["strategy=agnet"], "strategy/agnet"),
    (["study.trails=3"], "did you mean study.trials?"),
    (["+foo=1"], "foo"),
    (["study.trials=abc"], "study.trials=abc: must be a whole number or null"),
    (["task=cpu", "task.threads=9999"], "task.threads=9999"),
    (["task=cpu,smoke"], "add -m"),
    (["experiment=.."], "experiment=.."),
    (["strategy=optuna", "task=smoke", "sampler.build.n_startup_trials=many"], "must be a whole number"),
    (["task=smoke", "start=conf"], "start=conf"),
    (["task=smoke", "tracking.uri=postgresql://nobody@127.0.0.1/x"], "tracking.uri=postgresql"),
    (["task=smoke", "strategy=optuna", "space=gpu"], "space.DEPTH"),
    (
        ["task=smoke", "strategy=optuna", "+space.WIDTH={kind: int, low: 1, high: 2}"],
        "space.WIDTH: the start file has no constant",
    ),
    (["task=smoke", "data=files"], "data.corpus.folder"),
    (["task=smoke", "tracking.uri=http://127.0.0.1:9"], "tracking.uri=http://127.0.0.1:9"),
    (["task=smoke", "start=nothing.py"], "start=nothing.py"),
    (["task=smoke", "task.constants.WIDTH=3"], "WIDTH"),
    (["task=smoke", "cache=/proc/nowhere"], "cache=/proc/nowhere"),
]


@pytest.mark.parametrize(("arguments", "said"), ERRORS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_user_gets_wrong_is_told_in_two_lines(clone, monkeypatch, arguments, said):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # or it would wait between them
    done = clone.run(*arguments)
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if line.strip()]
    error = next(number for number, line in enumerate(told) if line.startswith("error: "))
    assert said in done.stdout
    assert len(told) - error <= 2 and "Traceback" not in done.stdout


def test_the_harness_never_imports_torch():
    code = "import sys, search.console.run_study, search.once, search.prepare\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def scores(folder):
    lines = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    asked = {line["number"]: line["answer"]["source"] for line in lines if line["kind"] == "asked"}
    told = [line for line in lines if line["kind"] == "told"]
    return [(line["number"], asked[line["number"]], line["outcome"]["val_bpb"]) for line in told]


def wait_for(journal, kind, count, process):
    """Until the journal holds so many lines of that kind."""
    deadline = time.monotonic() + 300
    while not (journal.exists() and journal.read_text().count(f'"kind": "{kind}"') >= count):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


def test_a_study_killed_in_the_middle_goes_on_as_if_nothing_had_been(quick_clone):
    command = ["strategy=optuna", "task=smoke", "study.trials=3"]
    whole = quick_clone.run(*command, "experiment=whole")
    assert whole.returncode == 0, whole.stdout
    process = quick_clone.popen(*command, "experiment=cut", cold=True)
    journal = quick_clone.study("cut/smoke/optuna-tpe/0") / FILE
    wait_for(journal, "started", 2, process)
    time.sleep(1.0)  # into the second trial
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert journal.read_text().count('"told"') == 1
    resumed = quick_clone.run(*command, "experiment=cut")
    assert resumed.returncode == 0, resumed.stdout
    assert scores(journal.parent) == scores(quick_clone.study("whole/smoke/optuna-tpe/0"))
    assert len(scores(journal.parent)) == 3
    again = quick_clone.run(*command, "experiment=cut")
    assert again.returncode == 0 and "nothing was trained" in again.stdout
    assert re.search(r"^see it: .*-m search\.ui experiment=cut$", again.stdout, re.M)


def test_control_c_once_finishes_the_trial_and_twice_stops_now(quick_clone):
    command = ["strategy=seeds", "task=smoke", "study.trials=50"]
    journal = quick_clone.study("autoresearch/smoke/seeds/0") / FILE

    process = quick_clone.popen(*command)
    wait_for(journal, "started", 1, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and "stopping after the running trials" in output
    assert journal.read_text().count('"told"') == 1

    process = quick_clone.popen(*command)
    wait_for(journal, "started", 2, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in output
    assert journal.read_text().count('"told"') == 1 and '"interrupted"' in journal.read_text()


def test_a_multirun_checks_all_before_the_first_and_survives_a_failure(quick_clone):
    refused = quick_clone.run("-m", "strategy=seeds,optuna", "task=smoke", "space=smoke,gpu", "experiment=many")
    assert refused.returncode == 1 and "nothing was started" in refused.stdout and "space.DEPTH" in refused.stdout
    assert not quick_clone.study("many").exists()
    command = ["strategy=optuna", "task=smoke", "study.trials=1", "experiment=many"]
    assert quick_clone.run(*command).returncode == 0
    text = quick_clone.study("many/smoke/optuna-tpe/0") / FILE
    text.write_text(text.read_text().replace('"audit_share": 0.1', '"audit_share": 0.9'))
    done = quick_clone.run("-m", *command, "seed=0,1")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert "seed=0" in last and "audit_share" in last
    assert len(scores(quick_clone.study("many/smoke/optuna-tpe/1"))) == 1  # the study after the one that failed


def test_text_can_be_any_folder_and_train_py_by_hand_scores_like_a_trial(quick_clone, tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    for number, path in enumerate(sorted((ROOT / "search").rglob("*.py"))):
        (texts / f"{number}.txt").write_text(path.read_text() * 3)
    settings = ["task=smoke", "data=files", f"data.corpus.folder={texts}", "data.corpus.held_out_percent=20"]
    prepared = quick_clone.run(*settings, module="search.prepare")
    assert prepared.returncode == 0 and "bytes per token" in prepared.stdout, prepared.stdout
    done = quick_clone.run(*settings, "study.trials=1", "strategy=seeds")
    assert done.returncode == 0, done.stdout

    command = [sys.executable, "train.py", *settings]
    environment = {**os.environ, "PYTHONPATH": str(quick_clone.root)}
    done = subprocess.run(command, cwd=quick_clone.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    by_hand = float(re.search(r"^val_bpb (\S+)", done.stdout, re.M).group(1))
    assert scores(quick_clone.study("autoresearch/smoke/seeds/0"))[0][2] == pytest.approx(by_hand, abs=1e-6)


def test_server_and_model_are_asked_before_the_first_training_run_and_can_be_mended(quick_clone):
    line = next(line for line in (quick_clone.root / "train.py").read_text().splitlines() if line.startswith("MUON_M"))
    edit = Answer(f"NOTE: x\n<<<<<<< SEARCH\n{line}\n=======\nMUON_MOMENTUM = 0.9\n>>>>>>> REPLACE")
    agent = ["strategy=agent", "llm=local", "llm.model=test", "task=smoke", "study.trials=2"]
    journal = quick_clone.study("autoresearch/smoke/agent-test/0")
    with serve(Answer(status=400, error="no temperature here"), edit, listing=Answer(status=404)) as server:
        wrong = quick_clone.run(*agent, f"llm.base_url={server.root}")
        assert wrong.returncode == 1 and f"give llm.base_url={server.url}" in wrong.stdout
        server.listing, server.answers = Answer(status=404), [Answer(status=400, error="no temperature here")]
        wrong = quick_clone.run(*agent, f"llm.base_url={server.url}", "llm.request.temperature=0.7")
        assert wrong.returncode == 1 and "400: no temperature here" in wrong.stdout
        warm = quick_clone.study("autoresearch/smoke/agent-test-temperature-0.7/0")
        assert not any((folder / "journal.jsonl").read_bytes() for folder in (journal, warm))
        server.answers = [edit]
        assert quick_clone.run(*agent, f"llm.base_url={server.url}").returncode == 0
        asked = len(server.requests), server.lists
    with serve(edit) as moved:
        done = quick_clone.run(*agent, f"llm.base_url={moved.url}")
        assert done.returncode == 0 and "is complete" in done.stdout
        assert (moved.requests, moved.lists) == ([], 0) and asked[1] == 3
    assert len(scores(journal)) == 2


CANARY = "sk-canary-5d1f0c"


def everything_written(root):
    """All that a study left, but for the sources it was given."""
    return b"".join(path.read_bytes() for path in (root / "mlruns").rglob("*") if path.is_file())


def test_the_agents_study_shows_its_work_and_never_its_key(quick_clone, monkeypatch):
    monkeypatch.setenv("TEST_KEY", CANARY)
    agent = [
        "strategy=agent",
        "llm=openai",
        "llm.model=org/model",
        "llm.api_key_env=TEST_KEY",
        "task=smoke",
        "llm.patience_minutes=0",
    ]
    line = next(
        line for line in (quick_clone.root / "train.py").read_text().splitlines() if line.startswith("MUON_MOMENTUM")
    )
    text = f"NOTE: calmer ({CANARY})\nHYPOTHESIS: less noise\n"
    text += f"<<<<<<< SEARCH\n{line}\n=======\nMUON_MOMENTUM = 0.9\n>>>>>>> REPLACE"
    wrong = Answer(status=401, error=f"Incorrect API key provided: {CANARY}")
    with serve(Answer("OK"), Answer(text), wrong) as server:  # the key is tried first
        done = quick_clone.run(*agent, f"llm.base_url={server.url}", "study.trials=3")
    assert server.keys[0] == f"Bearer {CANARY}"
    told = done.stdout[done.stdout.index("error: ") :].strip().splitlines()
    assert done.returncode == 1 and len(told) == 2 and "[key]" in told[0] and "same command" in told[1]
    journal = quick_clone.study("autoresearch/smoke/agent-org-model/0")
    assert len(scores(journal)) == 2  # nothing lost
    assert CANARY.encode() not in everything_written(quick_clone.root) and CANARY not in done.stdout

    client = MlflowClient(f"sqlite:///{quick_clone.root}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("autoresearch").experiment_id
    (study,) = client.search_runs([experiment], "tags.kind = 'study'")
    (trial,) = client.search_runs([experiment], "tags.`fairtrial.trial` = '1'")
    assert trial.data.tags["note"] == "calmer ([key])" and trial.data.tags["hypothesis"] == "less noise"
    assert trial.data.tags["llm_usd"] == "unknown" and trial.data.metrics["system/llm_tokens_in"] == 10_000
    artifacts = {file.path for file in client.list_artifacts(trial.info.run_id)}
    assert {"train.py", "change_from_stock.diff.txt", "conversation", "log.txt"} <= artifacts
    conversation = {file.path for file in client.list_artifacts(trial.info.run_id, "conversation")}
    assert {"conversation/prompt-1.md", "conversation/reply-1.md", "conversation/call-1.json"} <= conversation
    shown = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert "kept.md" in shown and any(re.fullmatch(r"program-\w+\.md", path) for path in shown)


def test_an_agent_without_a_key_is_offered_three_ways(clone, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    refused = clone.run("strategy=agent", "task=smoke")
    assert refused.returncode == 1
    for way in ("OPENAI_API_KEY", "llm=local", "llm=playbook"):
        assert way in refused.stdout


def test_the_playbook_shows_the_whole_loop_and_says_what_it_is(quick_clone):
    command = ["strategy=agent", "llm=playbook", "task=cpu", "task.budget.seconds=null", "task.budget.tokens=8192"]
    command += ["task.budget.cap_seconds=60", "task.scoring_rows=64", "study.trials=6"]
    command += ["task.audit_gain_positions=32", "task.audit_uniform_positions=16"]
    done = quick_clone.run(*command)
    assert done.returncode == 0 and "proves nothing about LLMs" in done.stdout, done.stdout
    journal = quick_clone.study("autoresearch/cpu/agent-playbook/0") / FILE
    outcomes = [json.loads(line)["outcome"] for line in journal.read_text().splitlines() if '"told"' in line]
    assert [outcome["status"] for outcome in outcomes][3] == "disqualified"  # the model that looks ahead
    assert [outcome["status"] for outcome in outcomes][5] == "crashed"  # the tied head
