"""Publishes each call to an LLM as a trace of its trial, from what the strategy recorded: a trial's folder of
conversations.

A trace's id follows from the study, the trial and the call, and MLflow's store merges what it is given twice under one id:
publishing again changes nothing, and a lost answer doubles nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.messages import printable
from search.study.journal import Entry
from search.tracking.store import first_line, is_refusal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Span, TraceInfo

PREVIEW = 1000  # characters of a prompt or reply in a list of traces
REPAIRED = "a repair was asked for: the next call says why"
UNKNOWN = (404, 405, 501)  # HTTP statuses of a server that knows no traces


@dataclass(frozen=True)
class Run:
    """A trial's run, and the experiment that it is in, by MLflow's ids."""

    id: str
    experiment: str


@dataclass(frozen=True)
class Recorded:
    """One call. `number`: from 1 on. `role`: of the LLM, where a strategy asks several; else empty. `ended`: nanoseconds
    since 1970. `problem`: why its reply could not be used, empty if it could. `usd`: None if it is unknown."""

    number: int
    role: str
    messages: Sequence[Mapping[str, str]]
    reply: Mapping[str, Any]
    ended: int
    problem: str
    usd: float | None

    @property
    def began(self) -> int:
        return self.ended - int(self.reply["seconds"] * 1e9)


def publish_traces(client: MlflowClient, run: Run, study: str, entry: Entry, conversation: Path) -> str | None:
    """Put the calls of a trial beside its `run`. Returns why the server does not take them, if it does not. `study`: the
    id of its journal. Raises what `outages` names."""
    calls = recorded(conversation, entry)
    if not calls:
        return None
    from mlflow.exceptions import MlflowException
    from mlflow.tracing.client import TracingClient

    traces = TracingClient(client.tracking_uri)
    try:
        traces.log_spans(run.experiment, [_span(study, entry, call) for call in calls])
        for call in calls:
            traces.start_trace(_info(run, study, entry, call))
    except NotImplementedError as error:
        return str(error)
    except MlflowException as error:
        if not is_refusal(error) and error.get_http_status_code() not in UNKNOWN:  # type: ignore[no-untyped-call]
            raise
        return first_line(error)
    return None


def recorded(conversation: Path, entry: Entry) -> list[Recorded]:
    """The calls of a trial in their order. A file is written when its call has ended. A file that was damaged since is
    left out; the strategy reports it."""
    cost, found = entry.trial.answer.cost, []
    paths = sorted(conversation.rglob("call-*.json"), key=_place)
    for number, path in enumerate(paths, 1):
        last = number == len(paths) or paths[number].parent != path.parent
        with contextlib.suppress(ValueError, KeyError, TypeError):
            call = json.loads(path.read_text(encoding="utf-8"))
            reply, shared = call["reply"], cost.usd if cost is not None and len(paths) == 1 else None
            usd = reply["usd"] if reply.get("usd") is not None else shared
            problem = _problem(path.parent) if last else "" if _was_told(path) else REPAIRED
            messages = [{name: printable(text) for name, text in message.items()} for message in call["messages"]]
            texts = {name: printable(reply[name]) for name in ("text", "reasoning", "refusal", "tools")}
            role = path.relative_to(conversation).parent.as_posix().lstrip(".")
            found.append(Recorded(number, role, messages, {**reply, **texts}, path.stat().st_mtime_ns, problem, usd))
    return found


def _place(path: Path) -> tuple[str, int]:
    """Conversation by conversation: each role's of a trial has a folder of its own."""
    return path.parent.as_posix(), int(path.stem.partition("-")[2])


def _was_told(path: Path) -> bool:
    """Whether a call's reply asked for something, which the harness answered."""
    return path.with_name(path.name.replace("call-", "answer-")).is_file()


def _problem(conversation: Path) -> str:
    """What was wrong with a conversation's last reply."""
    path = conversation / "proposal.json"
    return printable(json.loads(path.read_text(encoding="utf-8"))["problem"]) if path.is_file() else ""


def trace_id(study: str, trial: int, call: int) -> str:
    return f"tr-{hashlib.sha256(f'{study} {trial} {call}'.encode()).hexdigest()[:32]}"


def _span(study: str, entry: Entry, call: Recorded) -> Span:
    from mlflow.entities import Span, SpanType

    trace = trace_id(study, entry.number, call.number)
    attributes = {
        "mlflow.traceRequestId": trace,
        "mlflow.spanType": SpanType.CHAT_MODEL,
        "mlflow.message.format": "openai",
        "mlflow.llm.model": call.reply["model"],
        "mlflow.spanInputs": {"messages": call.messages},
        "mlflow.spanOutputs": _outputs(call.reply),
        "mlflow.chat.tokenUsage": _usage(call.reply),
        "mlflow.llm.cost": _cost(call),
    }
    return Span.from_dict(
        {
            "trace_id": trace,
            "span_id": trace[-16:],
            "parent_span_id": None,
            "name": f"call {call.number} {call.role}".strip(),
            "start_time_unix_nano": call.began,
            "end_time_unix_nano": call.ended,
            "status": {"code": "STATUS_CODE_ERROR" if call.problem else "STATUS_CODE_OK", "message": call.problem},
            "attributes": {name: json.dumps(value) for name, value in attributes.items() if value},
            "events": [],
        }
    )


def _outputs(reply: Mapping[str, Any]) -> dict[str, Any]:
    """A reply as OpenAI's chat.completions has it, which MLflow shows as a conversation."""
    more = {"reasoning_content": reply["reasoning"], "refusal": reply["refusal"], "tools": reply["tools"]}
    message = {"role": "assistant", "content": reply["text"], **{name: text for name, text in more.items() if text}}
    return {"choices": [{"message": message, "finish_reason": reply["finish_reason"]}]}


def _usage(reply: Mapping[str, Any]) -> dict[str, int]:
    """By MLflow's names; empty if the server does not count."""
    names = {"tokens_in": "input_tokens", "tokens_out": "output_tokens", "tokens_cached": "cache_read_input_tokens"}
    known = {theirs: reply[ours] for ours, theirs in names.items() if reply[ours]}
    return {**known, "total_tokens": known.get("input_tokens", 0) + known.get("output_tokens", 0)} if known else {}


def _cost(call: Recorded) -> dict[str, float]:
    """In dollars; empty if that is unknown."""
    return {} if call.usd is None else {"total_cost": call.usd}


def _info(run: Run, study: str, entry: Entry, call: Recorded) -> TraceInfo:
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    more = {"mlflow.trace.tokenUsage": _usage(call.reply), "mlflow.trace.cost": _cost(call)}
    return TraceInfo(
        trace_id=trace_id(study, entry.number, call.number),
        trace_location=TraceLocation.from_experiment_id(run.experiment),
        request_time=call.began // 1_000_000,
        execution_duration=(call.ended - call.began) // 1_000_000,
        state=TraceState.ERROR if call.problem else TraceState.OK,
        request_preview=call.messages[-1]["content"][:PREVIEW],
        response_preview=call.reply["text"][:PREVIEW],
        trace_metadata={
            "mlflow.sourceRun": run.id,
            **{name: json.dumps(value) for name, value in more.items() if value},
        },
        tags={
            "mlflow.traceName": f"trial {entry.number}, call {call.number} {call.role}".strip(),
            "fairtrial.trial": str(entry.number),
        },
    )
