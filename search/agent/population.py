"""The programs of a tree, and a rule for which to expand next that accounts for noise."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from search.agent.paired import Noise, Pairs, Program
from search.strategy import FEWEST, NoiseFloor, Verdict
from search.study.winner import compared

ONE_SCORE = 2  # children that a program may have on a single score
UNKNOWN = 0.0025  # standard deviation of a score, as a share of it, before anything is known of the noise


@dataclass
class Node:
    """A program that has a score. `parents`: the trials that it was made from."""

    program: Program
    parents: tuple[int, ...] = ()
    children: set[int] = field(default_factory=set)  # those that are being tried, too
    better: int = 0  # children that turned out to be
    again: bool = False  # whether its replicate was asked for
    settled: bool = False  # whether that failed, and will not come

    @property
    def trial(self) -> int:
        return self.program.trial

    @property
    def barren(self) -> int:
        """Children that did not turn out to be better, so far."""
        return len(self.children) - self.better

    @property
    def is_due(self) -> bool:
        """Whether it is to be trained again before it has more children."""
        return len(self.children) >= ONE_SCORE and len(self.program.scores) == 1 and not self.settled


class Population:
    """`seed`: of the draws. `margin`: by how many standard deviations of a difference a program must be better to be
    kept."""

    def __init__(self, seed: int, margin: float) -> None:
        self.seed, self.margin = seed, margin
        self.nodes: dict[int, Node] = {}
        self.best: Node | None = None  # what was kept last
        self.pairs = Pairs()

    def add(self, program: Program, parents: tuple[int, ...]) -> Node:
        """A new program has its first score. It is better than its parents if it is better than the first of them."""
        node = self.nodes[program.trial] = Node(program, parents)
        first = self.nodes.get(parents[0]) if parents else None
        if first is not None and program.score < first.program.score:
            first.better += 1
        return node

    def choose(self, number: int, control: NoiseFloor | None, among: Iterable[Node] | None = None) -> Node | None:
        """The program to expand for trial `number`: the best one by scores that are drawn from what is believed of each
        (Thompson sampling). Programs whose scores the noise could have put in either order take turns. Each child that
        has not turned out to be better counts like a standard deviation. So no program is expanded forever, or by all
        running trials at once. A program that waits for its replicate gets no children meanwhile."""
        draw, sd = random.Random(f"tree {self.seed} {number}"), self.sd(control)
        drawn = []
        for node in self.nodes.values() if among is None else among:
            believed = node.program.score + sd * (draw.gauss() / math.sqrt(len(node.program.scores)) + node.barren)
            if not (node.is_due and node.again):
                drawn.append((believed, node.trial, node))
        return min(drawn)[2] if drawn else None

    def sd(self, control: NoiseFloor | None) -> float:
        """Standard deviation of a score."""
        noise = self.pairs.noise(control)
        return (
            UNKNOWN * min(node.program.score for node in self.nodes.values()) if noise is None else noise.sd / math.sqrt(2)
        )

    def judge(self, node: Node, control: NoiseFloor | None) -> Verdict:
        """A program is kept if it is better than the best by more than the margin. Single scores are compared, or the
        means of replicates, whose noise is smaller. Without a noise floor a replicate is needed, and then any
        difference counts."""
        assert self.best is not None
        rival, best = node.program, self.best.program
        noise = self.pairs.noise(control)
        words = compared(rival.score, best.score, best.trial)
        if noise is None:
            kept = len(rival.scores) > 1 and rival.score < best.score
            words += f", noise floor unknown (the control has fewer than {FEWEST} trials): kept only with a replicate"
        else:
            bound = self.margin * self._sd_of_difference(rival, best, noise)
            kept = best.score - rival.score > bound
            words += f", margin {bound:.4f} = {self.margin:g} sd of a difference ({noise.source})"
        if kept:
            self.best = node
        return Verdict(kept, words)

    def pair(self, node: Node) -> None:
        """A replicate of it has a score: the difference between the two seeds, compared with its parent's, shows the
        noise."""
        for other in (self.nodes[number] for number in node.parents if number in self.nodes):
            if len(node.program.scores.keys() & other.program.scores.keys()) > 1:
                self.pairs.add(node.program, other.program)

    def failed_again(self, trial: int) -> None:
        """A program does not train with another seed, so nothing more is built on it, unless it is the stock."""
        if trial == 0:
            self.nodes[0].settled = True
        else:
            self.nodes.pop(trial, None)

    def is_ancestor(self, one: Node, other: Node) -> bool:
        """Whether one is an ancestor of the other, or the same."""
        known = (self.nodes[number] for number in other.parents if number in self.nodes)
        return one is other or any(self.is_ancestor(one, parent) for parent in known)

    @staticmethod
    def _sd_of_difference(one: Program, other: Program, noise: Noise) -> float:
        return noise.sd * math.sqrt((1 / len(one.scores) + 1 / len(other.scores)) / 2)
