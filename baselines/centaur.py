"""The centaur: CMA-ES over the stock's constants, with an LLM that sees the optimizer's state and overrides a share of its
proposals. After Ferreira et al. (arXiv 2603.24647), whose Centaur is the best of the published hybrids on this task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from cmaes import CMAwM

from search.llm import values, values_prompt
from search.llm.dialogue import Dialogue
from search.llm.reply import Exhausted
from search.strategy import Candidate, DimensionConfig, Done, NoiseFloor, Status, TaskFacts, Trial, Unusable, UserError
from search.study.evenly import in_share
from search.study.space import Space, Values, short

INSTRUCTIONS = (
    "You tune the constants of one program, train.py, together with CMA-ES, an optimizer that learns from every result, "
    "including yours. A harness trains and scores each set of values. For this trial you see the state of the optimizer "
    "and what it would try next, and may override it with what you know about training neural networks. If you have nothing "
    "better, give its own values."
)
BEST_POINTS = 5


class Centaur:
    """Ask and tell through cmaes' CMA-ES with margin: whole numbers, powers of two and choices are steps of equal length, a
    choice's in the order of its list. It starts at the stock, with the step size `sigma` (a share of each constant's range).

    `share`: the share of trials for which the LLM is asked, spread evenly; the search seed draws the first. Its values
    replace the optimizer's, and the optimizer is told their score, at a point no further from its mean than `_injected`
    allows. A trial without a score ranks last; CMA-ES uses ranks only.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        llm: Mapping[str, Any],
        space: Mapping[str, DimensionConfig],
        repairs: int,
        share: float,
        sigma: float,
    ) -> None:
        if repairs < 0:
            raise UserError(f"strategy.repairs={repairs}: must be 0 or more")
        if not (0 <= share <= 1 and 0 < sigma <= 1):
            raise UserError(f"strategy.share={share}, strategy.sigma={sigma}: must be 0 to 1, sigma above 0")
        if len(space) < 2:
            raise UserError("strategy=centaur: CMA-ES needs a space of two constants or more; see conf/space")
        self.task = task
        self.share = share
        self.space = Space(space, task.stock)
        self.dialogue = Dialogue(llm, task, repairs)
        self.optimiser = _optimiser(self.space, seed, sigma)
        self.seed = seed
        self._asked: dict[int, np.ndarray] = {0: np.array(self.space.coordinates(self.space.start))}
        self._told: list[tuple[np.ndarray, float]] = []  # of the generation that is not complete yet

    def check_server(self) -> None:
        """Raises UserError if the server, the model or the key does not work."""
        if self.share > 0:
            self.dialogue.check_server()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        memory = values_prompt.Memory(self.task, self.space, noise_floor, history, pending)
        number = len(history) + len(pending)
        overrides = in_share(f"centaur {self.seed}", self.share, number)
        encoded, raw = self.optimiser.ask()
        proposed = self.space.values(encoded.tolist())
        self._asked[number] = raw
        if not overrides or values.tried(memory, proposed) is not None:
            return self.space.candidate(proposed, {"by": "CMA-ES"})
        return self._override(memory, number, proposed)

    def tell(self, trial: Trial) -> None:
        point = self._asked.pop(trial.number)
        if trial.status is Status.UNUSABLE:
            return
        self._told.append((point, math.inf if trial.val_bpb is None else trial.val_bpb))
        if len(self._told) == self.optimiser.population_size:
            self.optimiser.tell(self._told)
            self._told = []

    def _override(self, memory: values_prompt.Memory, number: int, proposed: Values) -> Candidate | Unusable | Done:
        state = {"Where CMA-ES stands": self._state(memory, proposed)}
        try:
            said = self.dialogue.ask(
                number, partial(values_prompt.compose, memory, INSTRUCTIONS, state), partial(values.read, memory=memory)
            )
        except Exhausted as end:
            return Done(str(end))
        facts = {**said.facts, "idea": values.note_of(said.text), "by": "LLM"}
        if said.value is None:
            return Unusable(said.why_unusable, facts=facts, cost=said.cost)
        self._asked[number] = self._injected(said.value)
        return self.space.candidate(said.value, facts, said.cost)

    def _injected(self, chosen: Values) -> np.ndarray:
        """The point that stands for values from outside. A point far beyond what the optimizer would draw is moved
        towards its mean before the optimizer is told, or one outlier would blow up the step size (Hansen, "Injecting
        external solutions into CMA-ES", arXiv 1110.4181)."""
        mean, sigma, covariance = self.optimiser.mean, self._sigma, self.optimiser._cma._C
        step = (np.array(self.space.coordinates(chosen)) - mean) / sigma
        length = float(np.sqrt(step @ np.linalg.solve(covariance, step)))
        count = len(step)
        longest = math.sqrt(count) + 2 * count / (count + 2)
        return mean + sigma * step * min(1.0, longest / length if length > 0 else 1.0)

    @property
    def _sigma(self) -> float:
        return float(self.optimiser._cma._sigma)  # cmaes has no public name for it

    def _state(self, memory: values_prompt.Memory, proposed: Values) -> str:
        """Mean, spread and best points of the optimizer, in the constants' own units."""
        mean = np.clip(self.optimiser.mean, 0.0, 1.0)
        spread = self._sigma * np.sqrt(np.diag(self.optimiser._cma._C))
        low, high = (self.space.values(np.clip(mean + side * spread, 0.0, 1.0).tolist()) for side in (-1, 1))
        middle = self.space.values(mean.tolist())
        rows = ["| constant | mean | one standard deviation around it | it would try |", "|---|---|---|---|"]
        for name in self.space.dimensions:
            cells = (short(middle[name]), f"{short(low[name])} to {short(high[name])}", short(proposed[name]))
            rows.append(f"| {name} | {' | '.join(cells)} |")
        best = [
            f"- {trial.val_bpb:.4f}: {self.space.changes(memory.values(trial.candidate))}"
            for trial in memory.scored[:BEST_POINTS]
        ]
        return (
            f"Generation {self.optimiser.generation}, step size {self._sigma:.3f} of each range (small: it has settled).\n\n"
            + "\n".join(rows)
            + "\n\nThe best points:\n"
            + "\n".join(best)
        )


def _optimiser(space: Space, seed: int, sigma: float) -> CMAwM:
    start = np.array(space.coordinates(space.start))
    bounds = np.array([[0.0, 1.0]] * len(start))
    return CMAwM(mean=start, sigma=sigma, bounds=bounds, steps=np.array(space.steps()), seed=seed)
