"""Plans which programs are run again, how often, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.config.messages import UserError
from search.review.git import commit_of, files_of
from search.review.keeps import Keep, Verdict
from search.review.repository import Found, Program

WARM_UP = 0  # the number of a block that is not counted: it shows whether the start runs at all, and how long it takes
BEYOND = (Verdict.BEYOND, Verdict.TOGETHER)
THERE = (Found.OURS, Found.OTHERS, Found.BROKEN)  # in the repository


@dataclass(frozen=True)
class Arm:
    """A program that is run. `trial`: its number in the log. `logged`: by how much it beats the start there. `before`: the
    number of the best keep before it; for the start, its own."""

    trial: int
    commit: str
    logged: float
    before: int


@dataclass(frozen=True)
class Planned:
    """One run. `block`: from 1, or WARM_UP."""

    block: int
    arm: Arm


@dataclass(frozen=True)
class Plan:
    """What is run. `missing`: keeps that were asked for and cannot be run, with the reason. `order_seed`: the seed of the
    order in the blocks."""

    start: Arm
    keeps: tuple[Arm, ...]
    missing: tuple[tuple[int, str], ...]
    repeats: int
    order_seed: int

    def schedule(self) -> list[Planned]:
        """Returns the warm-up, then block after block, each with every program once. More repeats only add to the end."""
        arms, runs = (self.start, *self.keeps), [Planned(WARM_UP, self.start)]
        for block in range(1, self.repeats + 1):
            order = np.random.default_rng([self.order_seed, block]).permutation(len(arms))
            runs += [Planned(block, arms[at]) for at in order]
        return runs


def plan_of(
    repository: Path, keeps: Sequence[Keep], programs: Sequence[Program], which: str, repeats: int, order_seed: int
) -> Plan:
    """Makes a plan. `programs`: one for each keep. `which`: best, beyond or all. Raises UserError if there is nothing to
    run, or if this harness trains such programs itself."""
    by_number = {program.number: program for program in programs}
    start, asked = keeps[0], chosen(keeps, which)
    if by_number[start.number].found not in THERE:
        raise UserError(
            f"runner=plain: the start (trial {start.number}) is {by_number[start.number].found}; give a complete clone"
        )
    there = [keep for keep in asked if by_number[keep.number].found in THERE]
    missing = tuple((keep.number, str(by_number[keep.number].found)) for keep in asked if keep not in there)
    if not there:
        raise UserError(f"runner=plain: the repository has none of the {len(asked)} chosen keeps; give a complete clone")
    if all(by_number[keep.number].found is Found.OURS for keep in (start, *there)):
        raise UserError(
            "runner=plain: these programs were made for fairtrial, which trains and scores them itself.\n"
            "Leave runner= out: the review then prints the commands for that"
        )
    arms = [_arm(repository, keep, _before(keeps, keep), by_number[keep.number]) for keep in (start, *there)]
    return Plan(arms[0], tuple(arms[1:]), missing, repeats, order_seed)


def chosen(keeps: Sequence[Keep], which: str) -> list[Keep]:
    """Returns the keeps that are run. `which`: best, beyond or all. Raises UserError if there are none."""
    others = list(keeps[1:])
    if not others:
        raise UserError("runner=plain: the log kept only the start; give a log with a kept change")
    best = max(others, key=lambda keep: keep.gain)
    if which == "beyond" and any(keep.verdict is Verdict.UNKNOWN for keep in others):
        raise UserError("keeps=beyond: needs the noise, to know what is beyond luck; give noise.sd=, or keeps=best or all")
    if which == "all":
        return others
    return [keep for keep in others if keep is best or (which == "beyond" and keep.verdict in BEYOND)]


def _before(keeps: Sequence[Keep], keep: Keep) -> Keep:
    return max((one for one in keeps if one.number < keep.number), key=lambda one: one.gain, default=keep)


def _arm(repository: Path, keep: Keep, before: Keep, program: Program) -> Arm:
    commit = commit_of(repository, program.revision)
    files_of(repository, commit)  # before anything is run
    return Arm(keep.number, commit, keep.gain, before.number)
