"""The agent: reads program.md and what has been tried, asks an LLM for an edit, and builds on what its keep rule keeps."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.agent import others
from search.agent.author import Author, Bases, tried_before
from search.agent.conversation import Conversation
from search.agent.follow import on_offer
from search.agent.judge import Judge
from search.agent.keep_rules import Program
from search.agent.memory import Memory
from search.agent.modes import next_mode
from search.agent.reply import Edit, read
from search.agent.tuning import Tuning
from search.agent.turns import MOST_TURNS, Turns
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm.edit_error import EditError
from search.llm.patience import PatientClient
from search.llm.prices import Price
from search.llm.record import Recorder
from search.llm.reply import Client, Exhausted
from search.strategy import (
    Candidate,
    DimensionConfig,
    Done,
    NoiseFloor,
    Status,
    TaskFacts,
    Trial,
    Unusable,
    UserError,
    Verdict,
)


class Agent:
    """An LLM that edits the best program so far.

    `llm`: who answers. `program`: the human's Markdown file, read at each proposal. `repairs`: how often an unusable
    reply is sent back with the reason. `keep`: greedy, margin or replicate. `margin`: of the latter two, in standard
    deviations. `follow`: how often in a row a code change that failed narrowly may be tried again from its own program.
    `tune`, `space`, `tuning`: see Tuning. `of`: another study, whose winner is tried first. `reads`: studies whose
    reports are in its prompt, by name or path. `turns`: how many replies of a proposal may ask to see a log or a diff, or
    to have a draft checked.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        llm: Mapping[str, Any],
        program: str,
        repairs: int,
        keep: str,
        margin: float,
        follow: int,
        tune: float = 0.0,
        space: Mapping[str, DimensionConfig] | None = None,
        tuning: Mapping[str, Any] | None = None,
        of: str | None = None,
        reads: Sequence[str] = (),
        turns: int = 0,
    ) -> None:
        for name, value in (("repairs", repairs), ("follow", follow)):
            if value < 0:
                raise UserError(f"strategy.{name}={value}: must be 0 or more")
        self.task = task
        self.noise_floor: NoiseFloor | None = None  # of the newest ask
        self.price: Price = llm["price"]
        self.follow = follow
        self.judge = Judge(task.stock, keep, margin)
        client: Client = build({"_target_": llm["_target_"], **settings_of(dict(llm), LLM_KEYS)})
        self.client = PatientClient(client, task.say, task.stop)
        self.recorder = Recorder(self.client, task.folder, task.begun)
        self.turns = _turns(task, turns)
        self.author = Author(self.recorder, program, repairs, self.turns)
        self.tuning = Tuning(task, seed, tune, space or {}, tuning or {})
        self.start = None if of is None else task.read(of).start
        self.notes = ""
        self.others = others.told(task, reads)
        self._parents: dict[int, int | None] = {}  # of the trials that were told
        self._talks: dict[int, Conversation] = {}  # of the trials that are not told yet
        self._asks = itertools.count()
        self.author.read_program()  # a missing file is found before anything is spent

    @property
    def incumbent(self) -> Program:
        """The program that is built on."""
        return self.judge.incumbent

    def check_server(self) -> None:
        """Raises UserError if the server, the model or the key does not work."""
        self.client.check()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        self.noise_floor = noise_floor
        due = self.judge.rule.due()
        if due is not None:
            return due
        if self.start is not None:
            start, self.start = self.start, None
            return start
        number = len(history) + len(pending)
        if self.tuning.has(number):
            point = self.tuning.propose(self.incumbent, self.judge.known, history, pending, noise_floor)
            if point is not None:
                return point
        memory = self._memory(history, pending)
        talk = self._talks[number] = self._talk(number, memory)
        try:
            edited = self._converse(talk, number, memory)
        except Exhausted as end:
            return Done(str(end))
        return self._proposal(talk, number, edited)

    def is_stale(self, candidate: Candidate) -> bool:
        own = candidate.replicate == 0 and "mode" in candidate.facts  # an edit, which may be made of another program too
        return own and self._root(candidate.parent) != self.incumbent.trial

    def rebase(
        self, number: int, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable:
        """The same edit of the new incumbent if it applies cleanly, or else a new proposal."""
        self.noise_floor = noise_floor
        talk, memory = self._talks[number], self._memory(history, pending)
        reply = talk.calls[-1].reply
        talk.offer = on_offer(memory, self.follow)
        try:
            edited: Edit | None = read(reply, self._bases(talk), tried_before(self.judge.known, pending), edit_only=True)
            talk.stale = f"applied to trial {self.incumbent.trial}"
        except EditError as error:
            talk.problems.append(f"its base was replaced by trial {self.incumbent.trial}, and there: {error}")
            talk.anew = len(talk.calls)
            talk.stale = f"asked anew for trial {self.incumbent.trial}"
            edited = self._converse(talk, number, memory)
        return self._proposal(talk, number, edited)

    def tell(self, trial: Trial) -> Verdict:
        self._talks.pop(trial.number, None)
        self.tuning.tell(trial)
        if trial.candidate is not None and trial.status is not Status.UNUSABLE:
            self._parents[trial.number] = trial.candidate.parent
        return self.judge.tell(trial, self.noise_floor)

    def _talk(self, number: int, memory: Memory) -> Conversation:
        """What is asked for as trial `number`."""
        talk = Conversation(next(self._asks), next_mode(memory), on_offer(memory, self.follow))
        return talk if self.turns is None else replace(talk, more=self.turns.section(), turns=self.turns.most)

    def _root(self, number: int | None) -> int | None:
        """The program that was built on, from which a followed-up idea came."""
        while number is not None and number not in self.judge.kept:
            number = self._parents.get(number)
        return number

    def _memory(self, history: Sequence[Trial], pending: Mapping[int, Candidate]) -> Memory:
        floor, kept, rule = self.noise_floor, tuple(self.judge.kept), self.judge.rule.words
        verdicts = self.judge.verdicts
        return Memory(self.task, history, verdicts, self.incumbent, pending, kept, floor, self.notes, self.others, rule)

    def _converse(self, talk: Conversation, number: int, memory: Memory) -> Edit | None:
        return self.author.converse(talk, number, memory, self._bases(talk), tried_before(self.judge.known, memory.pending))

    def _bases(self, talk: Conversation) -> Bases:
        offer, current = talk.offer, {self.incumbent.trial: self.incumbent.source}
        return current if offer is None or offer.candidate is None else {**current, offer.number: offer.candidate.source}

    def _proposal(self, talk: Conversation, number: int, edited: Edit | None) -> Candidate | Unusable:
        self.notes = self.notes if talk.notes is None else talk.notes
        return self.author.proposal(talk, number, edited, self.price)


def _turns(task: TaskFacts, most: int) -> Turns | None:
    """Answers up to so many replies of a proposal; None for 0. Raises UserError."""
    if not 0 <= most <= MOST_TURNS:
        raise UserError(f"strategy.turns={most}: must be 0 to {MOST_TURNS}")
    if most == 0:
        return None
    if task.check is None:
        raise UserError(f"strategy.turns={most}: drafts cannot be checked here; use strategy.turns=0")
    return Turns(most, task.check)
