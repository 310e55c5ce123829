"""The chief scientist: plans directions, gives each trial one of them, and reports on each that has ended."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from search.agent import chief_prompt
from search.agent.memory import Memory
from search.agent.plan import Planned, Report, read_plan, read_report
from search.llm.dialogue import Dialogue, Said
from search.llm.prices import sum_of
from search.strategy import Cost, Trial

PLAN, REPORT = "plan", "report"  # the roles' folders in a trial's conversation; a report's has its direction's number


@dataclass
class Direction:
    """`asked`: the numbers of its trials. `told`: those that have ended. `report`: None until it is written. `problem`:
    why its planner's report could not be used; measurements then replace it."""

    number: int
    plan: Planned
    asked: list[int] = field(default_factory=list)
    told: list[Trial] = field(default_factory=list)
    report: Report | None = None
    problem: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has trials left."""
        return len(self.asked) < self.plan.trials

    @property
    def is_due(self) -> bool:
        """Whether all of its trials have ended, and no report on them exists yet."""
        return not self.is_open and len(self.told) == len(self.asked) and self.report is None and not self.problem

    def being_tried(self) -> int:
        return len(self.asked) - len(self.told)


@dataclass(frozen=True)
class Errand:
    """What a trial is for. `direction`: None if there is no usable plan; `problem` then says why. `cost`: of the chief's
    replies for this trial, None if it was not asked. `facts`: of these, for the record."""

    direction: Direction | None
    problem: str
    cost: Cost | None
    facts: dict[str, str]


class Chief:
    """`program`: reads the human's program.md. `most`: directions of a plan. `longest`: trials of a direction."""

    def __init__(self, dialogue: Dialogue, program: Callable[[], str], most: int, longest: int) -> None:
        self.dialogue = dialogue
        self.program = program
        self.most = most
        self.longest = longest
        self.directions: list[Direction] = []

    def errand(self, number: int, memory: Memory) -> Errand:
        """What trial `number` is for. Due reports are written first, and then a plan if no direction has trials left.
        The trial gets the open direction with the fewest running trials, and of these the one that was planned first.
        So directions are worked on one after the other if one trial runs at a time, and side by side if several do.
        Raises as Dialogue.ask."""
        facts: dict[str, str] = {}
        costs = [self._write(direction, number, memory, facts) for direction in self.directions if direction.is_due]
        if not any(direction.is_open for direction in self.directions):
            said = self._plan(number, memory)
            costs.append(said.cost)
            if said.value is None:
                return Errand(None, f"no usable plan, {said.why_unusable}", sum_of(costs), facts)
            facts["plan"] = "\n".join(map(chief_prompt.in_a_line, self._add(said.value)))
        direction = min(
            (direction for direction in self.directions if direction.is_open),
            key=lambda direction: (direction.being_tried(), direction.number),
        )
        direction.asked.append(number)
        return Errand(direction, "", sum_of(costs) if costs else None, facts)

    def tell(self, direction: Direction, trial: Trial) -> None:
        """A trial of a direction has ended. One that was not trained, since it repeats another, is asked for again."""
        if trial.duplicate_of is None:
            direction.told.append(trial)
        else:
            direction.asked.remove(trial.number)

    def _add(self, plan: Collection[Planned]) -> list[Direction]:
        first = len(self.directions) + 1
        added = [Direction(number, planned) for number, planned in enumerate(plan, first)]
        self.directions += added
        return added

    def _plan(self, number: int, memory: Memory) -> Said[list[Planned]]:
        def compose() -> list[dict[str, str]]:
            return chief_prompt.plan(self.program(), memory, self.directions, self.most, self.longest)

        return self.dialogue.ask(number, compose, partial(read_plan, most=self.most, longest=self.longest), PLAN)

    def _write(self, direction: Direction, number: int, memory: Memory, facts: dict[str, str]) -> Cost:
        compose = partial(chief_prompt.report, memory, direction)
        said = self.dialogue.ask(number, compose, read_report, f"{REPORT}-{direction.number}")
        direction.report, direction.problem = said.value, said.problem
        facts[f"{REPORT}_{direction.number}"] = chief_prompt.result(direction, memory)
        return said.cost
