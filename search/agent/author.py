"""Asks an LLM for an edit, and again if its reply cannot be used; all of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping

from search.agent import prompt
from search.agent.conversation import Conversation
from search.agent.memory import Memory
from search.agent.reply import Edit, read
from search.agent.turns import Turns
from search.config.files import read_edited
from search.config.messages import many
from search.config.places import resolve
from search.llm.answer import answer, is_cut_off
from search.llm.edit_error import EditError
from search.llm.prices import Price
from search.llm.record import Recorder
from search.llm.reply import Call, Exhausted, Messages, Refused
from search.strategy import Candidate, Unusable, UserError, source

Bases = Mapping[int, str]  # the programs that a reply may edit, by trial; the current one first
Tried = Mapping[str, str]  # why another program is not wanted again, by its hash


def tried_before(known: Mapping[str, int], pending: Mapping[int, Candidate]) -> Tried:
    """`known`: the programs that were tried, by hash, with the first trial of each."""
    being = {source.program_hash(candidate.source): number for number, candidate in pending.items()}
    again = {program: f"trial {number} again, which is tried already" for program, number in known.items()}
    now = {program: f"trial {number}, which is being tried by now" for program, number in being.items()}
    return {program: f"this is the program of {words}" for program, words in {**now, **again}.items()}


class Author:
    """`program`: the human's Markdown file, read at each proposal. `repairs`: how often an unusable reply is sent back.
    `turns`: answers replies that ask for something; None where none may."""

    def __init__(self, recorder: Recorder, program: str, repairs: int, turns: Turns | None = None) -> None:
        self.recorder = recorder
        self.program = program
        self.repairs = repairs
        self.turns = turns

    def converse(self, talk: Conversation, number: int, memory: Memory, bases: Bases, tried: Tried) -> Edit | None:
        """Ask until a reply is a program that is worth training, the repairs are used up, or no more replies come. Replies
        that ask for something are no repairs.
        Raises Exhausted if there was no reply at all.

        A call that is on record is not made again, and its prompt is not composed again either.
        """
        left = self.repairs + 1
        while left > 0:
            try:
                made = self.recorder.recorded(number, len(talk.calls)) or self._call(talk, number, memory)
            except Exhausted:
                if not talk.calls:
                    raise
                return None
            talk.calls.append(made)
            if told := self._told(talk, number, memory, bases, tried):
                talk.tell(told)
                continue
            left -= 1
            try:
                return read(made.reply, bases, tried)
            except EditError as error:
                talk.problems.append(str(error))
                talk.repeats += str(error) in tried.values()
        return None

    def _told(self, talk: Conversation, number: int, memory: Memory, bases: Bases, tried: Tried) -> str | None:
        """What the last reply is told if it asks for something. It is recorded before it is sent, and not made again: what a
        check prints may differ the next time."""
        reply, place = talk.calls[-1].reply, len(talk.calls) - 1
        asked = None if self.turns is None else self.turns.asked(talk, reply)
        if self.turns is None or asked is None:
            return None
        told = self.recorder.told(number, place)
        return told or self.recorder.tell(number, place, self.turns.answer(talk, asked, reply, memory, bases, tried))

    def _call(self, talk: Conversation, number: int, memory: Memory) -> Call:
        """Ask for the proposal, or for a repair with what was said before. If a server refuses the conversation
        (perhaps because it has become too long), it is asked for a new proposal. Raises as Client.complete."""
        program, call = self.read_program(), len(talk.calls)
        first = prompt.compose(program, memory, talk.mode, talk.offer, talk.more, talk.direction)
        messages: Messages = first
        for reply, problem, told in talk.unusable:
            said = "" if is_cut_off(reply) else answer(reply.text)
            messages = prompt.repair(messages, said, problem) if told is None else prompt.follow(messages, said, told)
        try:
            return self.recorder.complete(number, messages, program, talk.ask, call)
        except Refused:
            if call == talk.anew:
                raise
            return self.recorder.complete(number, first, program, talk.ask, call)

    def proposal(self, talk: Conversation, number: int, edited: Edit | None, price: Price) -> Candidate | Unusable:
        """The result of a conversation, with what is recorded of it."""
        self.recorder.end(number, talk.ask, len(talk.calls), "" if edited is not None else talk.problem)
        note, facts = talk.facts(None if edited is None else edited.program)
        if edited is None:
            return Unusable(
                f"after {many(len(talk.calls), 'reply', 'replies')}: {talk.problem}", note, facts, talk.cost(price)
            )
        return Candidate(edited.program, parent=edited.parent, note=note, facts=facts, cost=talk.cost(price))

    def read_program(self) -> str:
        """The human's words as they are now. Raises UserError."""
        try:
            return read_edited(resolve(self.program))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"strategy.program={self.program}: cannot be read ({error}); name a Markdown file") from error
