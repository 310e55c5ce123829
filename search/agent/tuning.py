"""The share of an agent's trials that a tuner proposes, over whatever constants the current program has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.agent.paired import Program
from search.config.schema import build
from search.strategy import Candidate, DimensionConfig, NoiseFloor, Origin, Strategy, TaskFacts, Trial, UserError, source
from search.study.evenly import in_share
from search.study.own_space import own_space

TRIES = 10  # points that were tried already, after which the trial is the agent's: the space may be used up
BY = "tuning"  # of a fact "by"


class Tuning:
    """`share`: of the trials, spread evenly; the search seed draws which is the first. `space`: as `own_space` takes it.
    `tuner`: a `_target_` node of the strategy that tunes.

    A tuner treats the program as its stock. It continues while the current program is that one, or one of its own
    points. Any other program has other constants, or other best values, and gets a new tuner.
    """

    def __init__(
        self, task: TaskFacts, seed: int, share: float, space: Mapping[str, DimensionConfig], tuner: Mapping[str, Any]
    ) -> None:
        if not 0 <= share < 1:
            raise UserError(f"strategy.tune={share}: must be 0 or more, and below 1")
        self.task, self.seed, self.share = task, seed, share
        self.space, self.node = space, dict(tuner)
        self._tuner: Strategy | None = None
        self._points: set[int] = set()  # the trials that it has asked for, and the program it began with
        self._asked: dict[int, Strategy] = {}  # the tuner of each trial that is not told yet

    def has(self, number: int) -> bool:
        """Whether trial `number` is to be tuned."""
        return in_share(f"tune {self.seed}", self.share, number)

    def propose(
        self,
        incumbent: Program,
        known: Mapping[str, int],
        history: Sequence[Trial],
        pending: Mapping[int, Candidate],
        noise_floor: NoiseFloor | None,
    ) -> Candidate | None:
        """A point that was not tried yet. None if there is none, or where the program has no constants. `known`: the
        programs that were tried, by hash, with the first trial of each."""
        number, trials = len(history) + len(pending), {trial.number: trial for trial in history}
        if incumbent.trial not in self._points:
            self._begin(incumbent, trials[incumbent.trial])
        running = {source.program_hash(candidate.source) for candidate in pending.values()}
        for _ in range(TRIES if self._tuner is not None else 0):
            assert self._tuner is not None
            answer = self._tuner.ask(history, pending, noise_floor)
            assert isinstance(answer, Candidate)
            program = source.program_hash(answer.source)
            if program in known:
                earlier = trials[known[program]]
                self._tuner.tell(Trial(number, Origin.STRATEGY, answer, earlier.outcome, duplicate_of=earlier.number))
            elif program not in running:
                self._points.add(number)
                self._asked[number] = self._tuner
                return replace(answer, parent=incumbent.trial, note=f"tuning: {answer.note}", facts={"by": BY})
        return None

    def tell(self, trial: Trial) -> None:
        """Take a finished trial, whoever proposed it."""
        tuner = self._asked.pop(trial.number, None)
        if tuner is not None:
            tuner.tell(trial)

    def _begin(self, incumbent: Program, first: Trial) -> None:
        own = own_space(incumbent.source, self.space)
        self._tuner, self._points = None, {incumbent.trial}
        if own:
            task = replace(self.task, stock=incumbent.source)
            self._tuner = build(self.node, task=task, seed=self.seed, space=own)
            self._tuner.tell(replace(first, number=0))
