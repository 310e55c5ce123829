"""A server that is slow, hangs or loses answers costs the study nothing, and doubles nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from search.tracking import publisher as publisher_module
from tests.servers.tracking import mlflow_server

PASSWORD = "hunter2url"


@pytest.fixture
def served(publish, tmp_path, monkeypatch):
    """The same, published through a gateway to a server of MLflow's."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    with mlflow_server(tmp_path) as gateway:
        publish.uri, publish.gateway = gateway.url, gateway
        yield publish


def test_the_loop_ends_while_the_server_holds_every_call_and_all_is_published_later(served, capfd):
    ended = []
    served.opened = served.gateway.open.clear
    served.ran = lambda: (ended.append(len(served.gateway.calls)), served.gateway.open.set())
    assert not served(4).behind
    held = len(served.gateway.calls) - ended[0]
    assert held > 4  # the loop was at its end before the first of them was answered
    assert [run.data.tags["fairtrial.trial"] for run in served.runs("trial")] == ["0", "1", "2", "3"]
    assert "View" not in capfd.readouterr().out


def test_a_server_that_hangs_holds_the_end_of_a_study_for_a_limited_time(served, monkeypatch):
    monkeypatch.setattr(publisher_module, "QUIET", 0.01)
    monkeypatch.setattr(publisher_module, "SHORT_PATIENCE", 0.2)
    served.status, served.opened = "KILLED", served.gateway.open.clear
    assert served(2).behind and any("for 0 s at most" in text for text in served.said)
    served.status, served.opened = "FINISHED", lambda: None
    served.gateway.open.set()
    assert not served(2).behind
    (parent,) = served.runs("study")
    assert parent.info.status == "FINISHED" and {run.info.status for run in served.runs("trial")} == {"FINISHED"}


@pytest.mark.parametrize("every", [1, 3])
def test_a_lost_answer_makes_no_second_run(served, every):
    """Of calls that make a run every one, or of all calls every third."""
    count = Counter()

    def loses(path):
        if every == 1:
            return path.endswith("runs/create")
        count["calls"] += 1
        return count["calls"] % every == 0

    served.gateway.loses = loses
    assert not served(3).behind
    served.gateway.loses = lambda path: False
    (parent,) = served.runs("study")
    trials = served.runs("trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2"]
    assert [run.info.status for run in (parent, *trials)] == ["FINISHED", "FINISHED", "FINISHED", "FAILED"]
    assert served.gateway.count("runs/create") == 4


def test_doubles_and_halves_that_a_sudden_death_leaves_are_cleared_by_the_next_start(served):
    served(2)
    (parent,), (_, half) = served.runs("study"), served.runs("trial")
    ledger = served.folder / "study" / "seeds" / "published.jsonl"
    ledger.write_text(ledger.read_text().splitlines()[0] + '\n{"study": "torn')
    served.store.update_run(half.info.run_id, status="RUNNING")
    again = {"start_time": half.info.start_time, "tags": {**half.data.tags}}
    served.store.create_run(half.info.experiment_id, **again)
    served.store.create_run(half.info.experiment_id, tags={**parent.data.tags})
    assert not served(3).behind
    trials = served.runs("trial")
    assert [run.data.tags["fairtrial.trial"] for run in trials] == ["0", "1", "2"]
    assert [run.info.status for run in trials] == ["FINISHED", "FINISHED", "FINISHED"]
    assert [run.info.run_id for run in served.runs("study")] == [parent.info.run_id]


def test_a_trial_costs_the_same_few_calls_however_long_the_study_is(served, monkeypatch):
    def calls(trials):
        before = len(served.gateway.calls)
        served(trials)
        return len(served.gateway.calls) - before

    short = calls(4) - calls(4)
    calls(60)
    long = calls(64) - calls(64)
    assert long <= 1.5 * short and short / 4 <= 12  # how often the table is written depends on what waits


def test_no_password_of_an_address_leaves(served, capfd):
    served.uri = served.uri.replace("http://", f"http://joe:{PASSWORD}@")
    served(2)
    served.uri = served.uri.replace(PASSWORD, f"{PASSWORD}-changed")
    assert not served(3).behind  # and with another password it is the same study
    written = b"".join(path.read_bytes() for path in served.folder.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in written and PASSWORD not in "".join(served.said) + str(capfd.readouterr())
