"""Two programs compared: on the training seeds that both were trained on, and against the noise of such differences.

On the same seed a difference usually has less noise than two independent scores: on 16,384 tokens of `task=smoke` its
standard deviation over six seeds was 0.004 for a rate 1.5 times as high and 0.018 for half the batch, and 0.033 by the
control; but 0.11 for a model of another shape, which starts with other weights. Only pairs of programs that both had
several seeds show it. An anchor does not: it repeats the stock with its own seed, which on a CPU gives the same score
exactly.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import mean, variance

from search.strategy import FEWEST, NoiseFloor, Verdict, source
from search.study.winner import compared

FEWEST_PAIRS = 3  # of programs with a second seed in common, or more seeds of fewer pairs


@dataclass
class Program:
    """A program and its scores so far, by replicate. `trial`: the number of its first one."""

    trial: int
    source: str
    scores: dict[int, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return self.mean_of(self.scores)

    def mean_of(self, replicates: Iterable[int]) -> float:
        return mean(self.scores[replicate] for replicate in replicates)

    @property
    def length(self) -> int:
        """Characters of the program without parts that have no effect: comments, formatting, docstrings."""
        return len(ast.unparse(source.bare(self.source)))


@dataclass(frozen=True)
class Noise:
    """Standard deviation of a difference of two programs on one training seed, and where it is from."""

    sd: float
    source: str


class Pairs:
    """Differences of pairs of programs, each on the seeds that both were trained on."""

    def __init__(self) -> None:
        self.squares, self.degrees = 0.0, 0  # around each pair's own mean

    def add(self, one: Program, other: Program) -> None:
        shared = one.scores.keys() & other.scores.keys()
        self.squares += (len(shared) - 1) * variance(one.scores[seed] - other.scores[seed] for seed in shared)
        self.degrees += len(shared) - 1

    def noise(self, control: NoiseFloor | None) -> Noise | None:
        """By the pairs, where there are enough; else by the control, which takes the two scores for independent."""
        if self.degrees >= FEWEST_PAIRS:
            return Noise(math.sqrt(self.squares / self.degrees), f"paired by seed, from {self.degrees} repeated pairs")
        if control is None:
            return None
        return Noise(control.sd * math.sqrt(2), f"of unequal seeds, mostly too much, from {control.trials} control trials")


def better(best: Program | None, incumbent: Program) -> Program:
    """Which of two programs has the better mean, on the replicates that both have."""
    if best is None:
        return incumbent
    shared = best.scores.keys() & incumbent.scores.keys()
    return incumbent if incumbent.mean_of(shared) < best.mean_of(shared) else best


def compare(
    rival: Program, incumbent: Program, best: Program, noise: Noise | None, margin: float
) -> tuple[Verdict, Program]:
    """Against the best so far: beyond the margin the better program wins, within it one that is shorter than the incumbent;
    on the replicates that both have."""
    shared = rival.scores.keys() & best.scores.keys()
    difference = rival.mean_of(shared) - best.mean_of(shared)
    bound = 0.0 if noise is None else margin * noise.sd / math.sqrt(len(shared))
    words = compared(rival.mean_of(shared), best.mean_of(shared), best.trial)
    if noise is None:
        words += f", noise floor unknown (the control has fewer than {FEWEST} trials): every difference counts"
    else:
        words += f", margin {bound:.4f} = {margin:g} sd of a difference ({noise.source})"
    if abs(difference) > bound:
        kept = difference < 0
    else:
        kept = rival.length < incumbent.length
        longer = rival.length - incumbent.length
        words += f"; within noise only a shorter program is kept ({longer:+d} characters)"
    return Verdict(kept, words), rival if kept else incumbent
