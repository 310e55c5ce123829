"""Proposes a confirmation's training runs, block by block, in an order that was drawn once and always comes out the same.

A block is one search seed and one repeat. All its runs share one training seed, which no other block has: what strategies
react to in common stays inside a block. The order is random, so that a machine that gets slower harms no program in
particular. If a later plan adds programs to a block that has been trained, they are trained in another visit, with the stock
again beside them: they are never compared with runs of another day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from search.confirm.plan import REPORT, SCREENING, STOCK, Plan
from search.study.contract import Done, NoiseFloor
from search.study.seeds import confirmation_seed
from search.study.trial import Candidate, Trial, Verdict

WARM_UP = "warm-up"  # the stage of the first run: the stock, to which challenges refer; it is used for nothing else
STAGES = (WARM_UP, REPORT, SCREENING)  # as numbers; a study's first trial has replicate 0, and that is the warm-up
REPEATS_OF_A_SEED = 2**16  # at most: a replicate number has no room for more
RUNS_OF_A_BLOCK = 2**12  # of the stock, all visits together

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """One training run that is planned. `visit`: of its block, 0 for the first. `run`: counts the stock's in a block."""

    stage: str
    search_seed: int
    repeat: int
    visit: int
    arm: str
    run: int = 0

    @property
    def replicate(self) -> int:
        """A number that encodes stage, search seed, repeat and run; below 2**61 if the search seed is below 2**31."""
        block = self.search_seed * REPEATS_OF_A_SEED + self.repeat
        return (block * RUNS_OF_A_BLOCK + self.run) * len(STAGES) + STAGES.index(self.stage)

    @property
    def facts(self) -> dict[str, str]:
        numbers = {"search_seed": self.search_seed, "repeat": self.repeat, "visit": self.visit, "run": self.run}
        return {"arm": self.arm, "stage": self.stage, **{name: str(number) for name, number in numbers.items()}}

    @property
    def note(self) -> str:
        run = f", run {self.run}" if self.arm == STOCK else ""
        stage = "" if self.stage == REPORT else f"{self.stage}, "
        return f"{self.arm} ({stage}search seed {self.search_seed}, repeat {self.repeat}{run})"


FIRST = Run(WARM_UP, 0, 0, 0, STOCK)


def seed_of(replicate: int, seeds: int = 0) -> int:
    """Returns the training seed of a run from its replicate number: the same for all runs of a block and stage, and for no
    others. `seeds`: 0 for the confirmation's set of seeds; other numbers stand for sets without any of those."""
    block, stage = replicate // (RUNS_OF_A_BLOCK * len(STAGES)), replicate % len(STAGES)
    search_seed, repeat = divmod(block, REPEATS_OF_A_SEED)
    drawn_before = {REPORT: 0, SCREENING: REPEATS_OF_A_SEED, WARM_UP: 2 * REPEATS_OF_A_SEED}[STAGES[stage]]
    return confirmation_seed(search_seed, (seeds * len(STAGES)) * REPEATS_OF_A_SEED + drawn_before + repeat)


@dataclass
class Block:
    """What is planned so far of one search seed and repeat, in one stage."""

    stage: str
    search_seed: int
    repeat: int
    visits: int = 0
    arms: set[str] = field(default_factory=set)
    stock_runs: int = 0

    def visit(self, arms: Iterable[str], plan: Plan) -> list[Run]:
        """Returns runs of the arms that it does not have yet, and of the stock beside them, in random order."""
        new = sorted(set(arms) - self.arms)
        if not new:
            return []
        stocks = plan.settings.stock_runs if self.stage == REPORT else 0
        wanted = [(STOCK, self.stock_runs + again) for again in range(stocks)] + [(arm, 0) for arm in new]
        place = (self.search_seed, self.repeat, self.visits)
        drawn = _shuffled(wanted, plan.settings.order_seed, STAGES.index(self.stage), *place)
        runs = [Run(self.stage, *place, arm, run) for arm, run in drawn]
        self.visits += 1
        self.arms.update(new)
        self.stock_runs += stocks
        return runs


def schedule(plans: Sequence[Plan]) -> list[Run]:
    """Returns everything planned, in the order of training: the warm-up, then plan after plan, and in each plan all search
    seeds of the first repeat, then all of the second, and so on. A further plan only adds to the end."""
    runs = [FIRST]
    blocks: dict[tuple[str, int, int], Block] = {}
    for number, plan in enumerate(plans):
        arms = plan.arms_of_seeds()
        for repeat in range(plan.repeats):
            # No stage has this number, so no block draws the same order.
            for seed in _shuffled(sorted(arms), plan.settings.order_seed, len(STAGES), number, repeat):
                block = blocks.setdefault((plan.stage, seed, repeat), Block(plan.stage, seed, repeat))
                runs += block.visit(arms[seed], plan)
    return runs


class Blocks:
    """The strategy that proposes what is planned. `texts`: the program of every arm, by name."""

    def __init__(self, plans: Sequence[Plan], texts: Mapping[str, str]) -> None:
        self.runs = schedule(plans)
        self.texts = texts

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Done:
        number = len(history) + len(pending)
        if number == len(self.runs):
            return Done("everything planned has been trained")
        run = self.runs[number]
        return Candidate(self.texts[run.arm], run.replicate, 0, note=run.note, facts=run.facts)

    def tell(self, trial: Trial) -> Verdict:
        return Verdict(False, "")  # a confirmation keeps and judges nothing


def _shuffled(items: Sequence[T], order_seed: int, *where: int) -> list[T]:
    """Returns the items in an order that is drawn for that place."""
    drawn = np.random.default_rng([order_seed, *where]).permutation(len(items))
    return [items[index] for index in drawn]
