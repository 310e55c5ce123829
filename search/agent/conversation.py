"""The calls that one proposal took, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.agent.modes import Mode
from search.llm import fields
from search.llm.answer import answer
from search.llm.prices import Price, cost_of
from search.llm.reply import Call, Reply
from search.strategy import Cost, Trial
from search.study.flags import flags

ASKED = "the reply asks for something, and holds no edit"


@dataclass
class Conversation:
    """The calls of one proposal. `ask`: its number among the proposals. `mode`: what was asked for. `offer`: the failed
    idea that it may follow up. `direction`: of a plan, which it is to carry out. `anew`: how many calls were made
    before it had to start over. `more`: further sections of the prompt, by their titles. `stale`: what was done because
    the program that it edits was replaced meanwhile. `repeats`: how many replies were programs that had been tried.
    `turns`: how many replies may ask for something before the edit."""

    ask: int
    mode: Mode
    offer: Trial | None
    direction: str = ""
    calls: list[Call] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of each reply that could not be used
    told: dict[int, str] = field(default_factory=dict)  # to those that asked for something, by their place
    anew: int = 0
    more: Mapping[str, str] = field(default_factory=dict)
    stale: str = ""
    repeats: int = 0
    turns: int = 0

    @property
    def problem(self) -> str:
        """What was wrong with the last reply."""
        return self.problems[-1] if self.problems else ""

    @property
    def unusable(self) -> list[tuple[Reply, str, str | None]]:
        """The replies that another one is asked for after, with what was wrong with each, and what it was told if it asked
        for something."""
        replies = zip(self.calls, self.problems, strict=True)
        return [(call.reply, problem, self.told.get(place)) for place, (call, problem) in enumerate(replies)][self.anew :]

    @property
    def turns_left(self) -> int:
        """How many replies may still ask for something."""
        return self.turns - sum(place >= self.anew for place in self.told)

    def tell(self, text: str) -> None:
        """The last reply asks for something, and this is what it is told."""
        self.told[len(self.problems)] = text
        self.problems.append(ASKED)

    @property
    def notes(self) -> str | None:
        """The newest notebook in it, if it has one."""
        written = [fields.notes(answer(call.reply.text)) for call in reversed(self.calls)]
        return next((notes for notes in written if notes is not None), None)

    def facts(self, edited: str | None) -> tuple[str, dict[str, str]]:
        """The note, and what else is recorded: mode, hypothesis, expected gain, which program.md was read, what stands
        out in the program that came of it."""
        last = self.calls[-1].reply
        said = answer(last.text)
        expected = fields.expected(said)
        facts = {
            "mode": str(self.mode),
            "hypothesis": fields.hypothesis(said),
            "program_md": self.calls[0].program_md,
            "model": last.model,
            "calls": str(len(self.calls)),
        }
        if expected is not None:
            facts["expected"] = f"{expected:+.6g}"
        if self.turns:
            facts["turns"] = str(len(self.told))
        if self.repeats:
            facts["repeats"] = str(self.repeats)
        if self.stale:
            facts["stale"] = self.stale
        found = flags(edited) if edited is not None else ()
        if found:
            facts["flags"] = ",".join(found)
        return fields.note(said) or "no note", facts

    def cost(self, price: Price) -> Cost:
        return cost_of([call.reply for call in self.calls], price)
