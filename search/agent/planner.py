"""The planner: a chief scientist plans directions and reports on them, and workers write the edits that carry them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.agent import chief_prompt
from search.agent.agent import Agent
from search.agent.chief import Chief, Direction, Errand
from search.agent.conversation import Conversation
from search.agent.memory import Memory
from search.agent.modes import Mode
from search.agent.reply import Edit
from search.config.schema import LLM_ROLES
from search.llm.dialogue import Dialogue
from search.llm.prices import sum_of
from search.llm.reply import Exhausted
from search.strategy import Candidate, Cost, Done, NoiseFloor, TaskFacts, Trial, Unusable, UserError, Verdict


class Planner(Agent):
    """An agent whose every edit is part of a direction that another LLM has planned.

    `llms`: the LLMs for `plan` (plans and reports) and `edit`, where they differ from `llm`. `directions`: at most, of
    one plan. `direction_trials`: at most, of one direction. The rest is as for `Agent`.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        llm: Mapping[str, Any],
        llms: Mapping[str, Any],
        program: str,
        repairs: int,
        keep: str,
        margin: float,
        follow: int,
        directions: int,
        direction_trials: int,
        reads: Sequence[str] = (),
    ) -> None:
        for name, value in (("directions", directions), ("direction_trials", direction_trials)):
            if value < 1:
                raise UserError(f"strategy.{name}={value}: must be 1 or more")
        super().__init__(task, seed, llms.get("edit", llm), program, repairs, keep, margin, follow, reads=reads)
        self.recorder.role = "edit"
        dialogue = Dialogue(llms.get("plan", llm), task, repairs, self._asks)
        self.chief = Chief(dialogue, self.author.read_program, directions, direction_trials)
        self._errands: dict[int, Errand] = {}  # of the trials that are not told yet

    def check_server(self) -> None:
        """Raises UserError if a server, a model or a key does not work."""
        super().check_server()
        self.chief.dialogue.check_server()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        due = self.judge.rule.due()
        if due is not None:
            return due
        self.noise_floor = noise_floor
        number = len(history) + len(pending)
        try:
            errand = self._errands[number] = self.chief.errand(number, self._memory(history, pending))
        except Exhausted as end:
            return Done(str(end))
        if errand.direction is None:
            return Unusable(errand.problem, "no plan", _facts(errand, None), errand.cost)
        return super().ask(history, pending, noise_floor)

    def tell(self, trial: Trial) -> Verdict:
        errand = self._errands.pop(trial.number, None)
        if errand is not None and errand.direction is not None:
            self.chief.tell(errand.direction, trial)
        return super().tell(trial)

    def _talk(self, number: int, memory: Memory) -> Conversation:
        """The plan decides what to try, so there is no mode."""
        return replace(super()._talk(number, memory), mode=Mode.FREE, direction=self._direction(number))

    def _proposal(self, talk: Conversation, number: int, edited: Edit | None) -> Candidate | Unusable:
        """The cost is of all replies for this trial, and the facts say whose."""
        proposal, errand = super()._proposal(talk, number, edited), self._errands[number]
        assert proposal.cost is not None
        costs = [cost for cost in (errand.cost, proposal.cost) if cost is not None]
        facts = {**proposal.facts, **_facts(errand, proposal.cost)}
        return replace(proposal, facts=facts, cost=sum_of(costs))

    def _direction(self, number: int) -> str:
        direction = self._errands[number].direction
        assert direction is not None
        return chief_prompt.task_of(direction, number)


def _facts(errand: Errand, edit: Cost | None) -> dict[str, str]:
    """Which direction it is, what the chief wrote for this trial, and what each role's replies took."""
    facts = dict(errand.facts)
    if errand.direction is not None:
        facts |= _named(errand.direction)
    for role, cost in zip(LLM_ROLES, (errand.cost, edit), strict=True):
        if cost is not None:
            facts[f"calls_{role}"] = str(cost.calls)
            facts[f"usd_{role}"] = "unknown" if cost.usd is None else f"{cost.usd:.6g}"
    return facts


def _named(direction: Direction) -> dict[str, str]:
    planned = direction.plan
    return {"direction": f"{direction.number}: {planned.title}", "direction_expected": f"{planned.expected:+.6g}"}
