"""Makes another task: changes the task and the programs, by one rule for the stock and for every winner."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from search.config.commands import DEEPER, LONGER, OTHER_SEEDS, SCALES, WIDER
from search.config.schema import BudgetConfig, DataConfig, TaskConfig
from search.confirm.studies import CHANGED
from search.study import source
from search.study.identity import BATCH_CONSTANT

# The constant that is multiplied. Width is DEPTH * ASPECT_RATIO in the stock, so that a deeper model is a wider one too.
SIZES = {DEEPER: "DEPTH", WIDER: "ASPECT_RATIO"}
# By which powers of the factor a model grows: its parameters, and what it keeps of a row while it trains.
PARAMETERS, ACTIVATIONS = {DEEPER: 3, WIDER: 2}, {DEEPER: 2, WIDER: 1}


class HardCoded(Exception):
    """A program whose size no constant sets. Its text ends a sentence that begins with the program."""


@dataclass(frozen=True)
class Scale:
    """`kind`: one of SCALES. `factor`: of the budget or the size. `data`: the other text."""

    kind: str
    factor: float
    data: DataConfig | None = None

    @property
    def name(self) -> str:
        """As it stands behind the task's name."""
        if self.kind == OTHER_SEEDS:
            return f"{CHANGED}{self.kind}"
        return f"{CHANGED}{self.kind}-{self.factor:g}" if self.data is None else f"{CHANGED}{self.kind}-{self.data.name}"

    @property
    def seeds(self) -> int:
        """Which set of seeds is drawn: one that neither the studies nor the confirmation know."""
        return 1 + SCALES.index(self.kind)

    def task(self, task: TaskConfig) -> TaskConfig:
        """The other task. Limits on what grows with a model's size grow with it."""
        task = replace(task, name=f"{task.name}{self.name}")
        if self.kind == LONGER:
            return replace(task, budget=self._longer(task.budget))
        if self.kind in SIZES:
            larger = max(1.0, self.factor ** PARAMETERS[self.kind])
            return replace(task, weights_gb=task.weights_gb * larger, scoring_seconds=task.scoring_seconds * larger)
        return task

    def program(self, text: str, device: str) -> str:
        """The program on the other task. Raises HardCoded if nothing in it sets the size that should change."""
        name = SIZES.get(self.kind)
        if name is None:
            return text
        values, used = source.constants(text), _names_read(text)
        size = values.get(name)
        if not isinstance(size, int | float) or isinstance(size, bool):
            raise HardCoded(f"has its size hard-coded: it has no constant {name}")
        if name not in used:
            raise HardCoded(f"has its size hard-coded: its constant {name} is not used")
        scaled = {name: size * self.factor if isinstance(size, float) else max(1, round(size * self.factor))}
        rows = values.get(BATCH_CONSTANT)
        if device != "cpu" and isinstance(rows, int):  # on a GPU, fewer rows fit at once; a step's batch stays what it is
            fit = max(1, int(rows / max(1.0, self.factor ** ACTIVATIONS[self.kind])))
            scaled[BATCH_CONSTANT] = 1 << fit.bit_length() - 1
        return source.set_constants(text, scaled)

    def seconds(self, phase: str, seconds: float, budget: BudgetConfig) -> float:
        """An estimate of how long a phase of a trial will take, given its time on the first task."""
        if self.kind == LONGER and phase == "train":
            return seconds * self.factor
        limited = phase == "train" and budget.seconds is not None
        return seconds if limited or self.kind not in SIZES else seconds * max(1.0, self.factor ** PARAMETERS[self.kind])

    def _longer(self, budget: BudgetConfig) -> BudgetConfig:
        seconds, cap = (None if one is None else one * self.factor for one in (budget.seconds, budget.cap_seconds))
        return BudgetConfig(seconds, None if budget.tokens is None else round(budget.tokens * self.factor), cap)


def _names_read(text: str) -> set[str]:
    nodes = ast.walk(ast.parse(text))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
