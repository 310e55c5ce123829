"""An LLM that tunes: it proposes values for the stock's constants, and nothing else. Compared with Optuna on the same
constants, it shows what the method is worth; compared with the agent, what the larger space is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from search.llm import values, values_prompt
from search.llm.dialogue import Dialogue
from search.llm.reply import Exhausted
from search.strategy import Candidate, DimensionConfig, Done, NoiseFloor, TaskFacts, Trial, Unusable, UserError
from search.study.space import Space

INSTRUCTIONS = (
    "You tune the constants of one program, train.py, by proposing one set of values at a time. A harness trains and scores "
    "each set, and you are told the result."
)


class Tuner:
    """`llm`: who answers. `space`: the constants to set. `repairs`: how often an unusable reply (no values, an unknown
    constant, a value out of its range, values that were tried) is sent back with the reason."""

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        llm: Mapping[str, Any],
        space: Mapping[str, DimensionConfig],
        repairs: int,
    ) -> None:
        if repairs < 0:
            raise UserError(f"strategy.repairs={repairs}: must be 0 or more")
        self.task = task
        self.space = Space(space, task.stock)
        self.dialogue = Dialogue(llm, task, repairs)

    def check_server(self) -> None:
        """Raises UserError if the server, the model or the key does not work."""
        self.dialogue.check_server()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        memory = values_prompt.Memory(self.task, self.space, noise_floor, history, pending)
        number = len(history) + len(pending)
        try:
            said = self.dialogue.ask(
                number, partial(values_prompt.compose, memory, INSTRUCTIONS), partial(values.read, memory=memory)
            )
        except Exhausted as end:
            return Done(str(end))
        facts = {**said.facts, "idea": values.note_of(said.text)}
        if said.value is None:
            return Unusable(said.why_unusable, facts=facts, cost=said.cost)
        return self.space.candidate(said.value, facts, said.cost)

    def tell(self, trial: Trial) -> None:
        """The history in the next question has everything that is told."""
