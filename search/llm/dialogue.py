"""Asks an LLM until its reply can be read, or until the repairs are used up. Every reply is recorded before it is
read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from search.config.messages import many
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm.answer import answer, is_cut_off, no_answer
from search.llm.patience import PatientClient
from search.llm.prices import Price, cost_of
from search.llm.record import Recorder
from search.llm.reply import Call, Client, Exhausted, Messages, Refused
from search.strategy import Cost, TaskFacts

T = TypeVar("T")


class Unreadable(Exception):
    """Why a reply cannot be used, in words for its author."""


class Repeats(Unreadable):
    """The reply proposes what was tried already."""


@dataclass(frozen=True)
class Said(Generic[T]):
    """The result of the replies to one question. `value`: None if none could be used; `problem` then says why."""

    value: T | None
    problem: str
    text: str  # of the last reply, without its reasoning
    facts: dict[str, str]
    cost: Cost

    @property
    def why_unusable(self) -> str:
        return f"after {many(self.cost.calls, 'reply', 'replies')}: {self.problem}"


class Dialogue:
    """One LLM that is asked one question for each trial that needs it.

    `llm`: a node of conf/llm. `repairs`: how often an unusable reply is sent back with the reason. A call that is on record
    is not made again. `asks`: numbers the questions of a study, where several LLMs are asked.
    """

    def __init__(self, llm: Mapping[str, Any], task: TaskFacts, repairs: int, asks: Iterator[int] | None = None) -> None:
        self.price: Price = llm["price"]
        self.repairs = repairs
        client: Client = build({"_target_": llm["_target_"], **settings_of(dict(llm), LLM_KEYS)})
        self.client = PatientClient(client, task.say, task.stop)
        self.recorder = Recorder(self.client, task.folder, task.begun)
        self._asks = asks or itertools.count()

    def check_server(self) -> None:
        """Raises UserError if the server, the model or the key does not work."""
        self.client.check()

    def ask(self, number: int, compose: Callable[[], Messages], read: Callable[[str], T], role: str = "") -> Said[T]:
        """Ask for trial `number`. `read`: from a reply's text to its meaning; raises Unreadable. `role`: of the LLM, where
        it is asked several questions for one trial. Raises as Client.complete, Exhausted only where nobody answered at
        all."""
        ask, calls, problems = next(self._asks), list[Call](), list[str]()
        record = self.recorder.of(role)
        value: T | None = None
        repeats = 0
        while value is None and len(calls) <= self.repairs:
            try:
                made = record.recorded(number, len(calls))
                made = made or _call(record, number, ask, compose(), calls, problems)
            except Exhausted:
                if not calls:
                    raise
                break
            calls.append(made)
            try:
                value = _read(made, read)
            except Unreadable as error:
                problems.append(str(error))
                repeats += isinstance(error, Repeats)
        problem = "" if value is not None else problems[-1]
        record.end(number, ask, len(calls), problem)
        last, facts = calls[-1].reply, {"model": calls[-1].reply.model, "calls": str(len(calls))}
        facts |= {"repeats": str(repeats)} if repeats else {}
        return Said(value, problem, answer(last.text), facts, cost_of([call.reply for call in calls], self.price))


def _call(record: Recorder, number: int, ask: int, first: Messages, calls: Sequence[Call], problems: Sequence[str]) -> Call:
    """If a server refuses the conversation (perhaps because it has become too long), it is asked the first question
    again."""
    messages = first
    for call, problem in zip(calls, problems, strict=True):
        messages = _repair(messages, "" if is_cut_off(call.reply) else answer(call.reply.text), problem)
    try:
        return record.complete(number, messages, None, ask, len(calls))
    except Refused:
        if not calls:
            raise
        return record.complete(number, first, None, ask, len(calls))


def _read(call: Call, read: Callable[[str], T]) -> T:
    if problem := no_answer(call.reply):
        raise Unreadable(problem)
    return read(answer(call.reply.text))


def _repair(messages: Messages, reply: str, problem: str) -> Messages:
    """The question again, with what is wrong with the reply. An empty reply is not sent back: some servers refuse that."""
    request = f"Nothing was trained: {problem}\n\nReply again, in full."
    said = [dict(message) for message in messages]
    if reply.strip():
        return [*said, {"role": "assistant", "content": reply}, {"role": "user", "content": request}]
    return [*said[:-1], {**said[-1], "content": f"{said[-1]['content']}\n\n{request}"}]
