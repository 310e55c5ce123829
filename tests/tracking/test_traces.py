"""Each call to an LLM is a trace beside its trial, once."""

from __future__ import annotations

import json

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracing.client import TracingClient

from search.tracking import traces
from tests.servers.tracking import mlflow_server

KEY = "sk-canary"
REPLY = {"finish_reason": "stop", "model": "m", "tokens_in": 900, "tokens_out": 100, "tokens_cached": 0, "seconds": 2.5}


def converse(study, number, replies, problem=""):
    """Put a conversation on record, as a strategy does."""
    folder = study / "attachments" / f"{number:04d}"
    folder.mkdir(parents=True)
    for call, text in enumerate(replies, 1):
        reply = {**REPLY, "text": text, "reasoning": f"thinking of {text}", "refusal": "", "tools": "", "usd": 0.01}
        messages = [{"role": "system", "content": "improve"}, {"role": "user", "content": f"ask {call} \ud800"}]
        whole = {"ask": number - 1, "call": call - 1, "program_md": "x", "messages": messages, "reply": reply}
        (folder / f"call-{call}.json").write_text(json.dumps(whole))
    (folder / "proposal.json").write_text(json.dumps({"ask": number - 1, "calls": len(replies), "problem": problem}))


@pytest.fixture
def asked(publish):
    """A study whose trial 1 took two calls, and trial 2 one that was of no use."""
    study = publish.folder / "study" / "seeds"
    converse(study, 1, ["first", "second"])
    converse(study, 2, ["nonsense"], "block 1 matches nothing")
    return publish


def found(publish):
    """All traces of the store, by name."""
    experiment = publish.store.get_experiment_by_name("test").experiment_id
    return {trace.info.tags["mlflow.traceName"]: trace for trace in publish.store.search_traces(locations=[experiment])}


def test_a_trial_has_a_trace_for_each_call(asked):
    assert not asked(3).behind
    seen, runs = found(asked), asked.runs("trial")
    assert set(seen) == {"trial 1, call 1", "trial 1, call 2", "trial 2, call 1"}
    second = seen["trial 1, call 2"]
    assert second.info.trace_metadata["mlflow.sourceRun"] == runs[1].info.run_id
    assert second.info.execution_duration == 2500 and second.info.token_usage["total_tokens"] == 1000
    (span,) = second.data.spans
    assert span.inputs["messages"][1]["content"] == "ask 2 \\ud800"
    assert span.outputs["choices"][0]["message"] == {
        "role": "assistant",
        "content": "second",
        "reasoning_content": "thinking of second",
    }
    assert span.get_attribute("mlflow.llm.cost") == {"total_cost": 0.01}
    states = {name: str(trace.info.state) for name, trace in seen.items()}
    assert states == {"trial 1, call 1": "ERROR", "trial 1, call 2": "OK", "trial 2, call 1": "ERROR"}
    assert seen["trial 2, call 1"].data.spans[0].status.description == "block 1 matches nothing"


def test_a_reply_that_was_told_what_it_asked_for_is_no_failure(asked):
    conversation = asked.folder / "study" / "seeds" / "attachments" / "0001"
    (conversation / "answer-1.json").write_text('{"call": 0, "text": "the end of a log"}')
    assert not asked(3).behind and str(found(asked)["trial 1, call 1"].info.state) == "OK"


def test_publishing_twice_or_after_a_lost_answer_doubles_no_trace(asked, monkeypatch):
    lost, start_trace = [], TracingClient.start_trace

    def loses_the_first(client, info):
        start_trace(client, info)
        if not lost:
            lost.append(info)
            raise MlflowException("the gateway lost the answer")

    monkeypatch.setattr(TracingClient, "start_trace", loses_the_first)
    assert not asked(3).behind and lost
    before = {name: trace.to_dict() for name, trace in found(asked).items()}
    (asked.folder / "study" / "seeds" / "published.jsonl").unlink()
    for run in asked.runs("trial"):
        asked.store.update_run(run.info.run_id, status="RUNNING")
    assert not asked(3).behind
    assert {name: trace.to_dict() for name, trace in found(asked).items()} == before and len(before) == 3


def test_a_record_that_was_damaged_costs_the_study_nothing(asked):
    call = asked.folder / "study" / "seeds" / "attachments" / "0001" / "call-1.json"
    call.write_text(call.read_text()[:40])
    assert not asked(3).behind and set(found(asked)) == {"trial 1, call 2", "trial 2, call 1"}


def test_a_server_that_takes_no_spans_is_named_once_and_all_else_is_published(asked, tmp_path):
    """Those that are started as a WSGI application have no address for them."""
    with mlflow_server(tmp_path) as gateway:
        asked.uri = gateway.url
        assert not asked(3).behind and len(asked.runs("trial")) == 3
    assert sum("does not accept calls to an LLM as traces" in text for text in asked.said) == 1


def test_ids_follow_from_study_trial_and_call():
    assert traces.trace_id("a", 1, 1) == traces.trace_id("a", 1, 1) != traces.trace_id("a", 1, 2)
