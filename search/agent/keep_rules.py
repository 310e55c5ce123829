"""Which programs an agent builds on: three rules for keeping an edit, all of which say why."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import mean
from typing import Protocol

from search.strategy import Candidate, NoiseFloor, Trial, Verdict, source


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
        """Characters of the program without what does nothing: comments, formatting, docstrings."""
        return len(ast.unparse(source.bare(self.source)))


class KeepRule(Protocol):
    def judge(self, trial: Trial, incumbent: Program) -> tuple[Verdict, Program]:
        """What to make of a scored trial, and which program is the incumbent from now on."""
        ...

    def pending(self) -> Candidate | None:
        """A replicate that must be trained before the next proposal."""
        ...

    def failed(self) -> None:
        """The last trial has no score."""
        ...


class Margin:
    """Keep what is better by more than `margin` standard deviations of a difference; within that, keep the shorter program.

    The difference is to the best program that was kept so far: step by step behind a shorter and shorter incumbent, any
    loss would be within noise. Without a noise floor every difference counts, and the verdict says so.
    """

    def __init__(self, noise: NoiseFloor | None, margin: float) -> None:
        self.noise = noise
        self.margin = margin
        self.best: Program | None = None

    def judge(self, trial: Trial, incumbent: Program) -> tuple[Verdict, Program]:
        assert trial.candidate is not None and trial.val_bpb is not None
        rival = Program(trial.number, trial.candidate.source, {trial.candidate.replicate: trial.val_bpb})
        self.best = better(self.best, incumbent)
        return compare(rival, incumbent, self.best, self.noise, self.margin)

    def pending(self) -> Candidate | None:
        return None

    def failed(self) -> None:
        """Changes nothing."""


class Greedy(Margin):
    """Keep any improvement of a single trial, as autoresearch does it."""

    def __init__(self) -> None:
        super().__init__(None, 0.0)

    def judge(self, trial: Trial, incumbent: Program) -> tuple[Verdict, Program]:
        assert trial.candidate is not None and trial.val_bpb is not None
        rival = Program(trial.number, trial.candidate.source, {trial.candidate.replicate: trial.val_bpb})
        better = rival.score < incumbent.score
        words = f"{rival.score - incumbent.score:+.4f} against trial {incumbent.trial}, any improvement is kept"
        return Verdict(better, words), rival if better else incumbent


class Replicate:
    """A claimed improvement is trained again, as replicate 1, before it is kept; means decide, as under `margin`.

    So that both sides of the comparison have the same replicates, the incumbent is trained again too where it was not. A
    replicate that fails is not asked for again, which would be the same training once more: later claims use the next one.
    """

    def __init__(self, noise: NoiseFloor | None, margin: float) -> None:
        self.noise = noise
        self.margin = margin
        self.best: Program | None = None
        self._replicate = 1
        self._rival: Program | None = None
        self._queue: list[Candidate] = []

    def judge(self, trial: Trial, incumbent: Program) -> tuple[Verdict, Program]:
        candidate, score = trial.candidate, trial.val_bpb
        assert candidate is not None and score is not None
        if self._queue:
            return self._judge_replicate(candidate, score, incumbent)
        rival = Program(trial.number, candidate.source, {candidate.replicate: score})
        if score >= incumbent.scores[0]:
            return Verdict(False, f"{score - incumbent.scores[0]:+.4f} against trial {incumbent.trial}"), incumbent
        self._rival = rival
        for program in (incumbent, rival):
            if self._replicate not in program.scores:
                note = f"trial {program.trial} again, another training seed"
                again = Candidate(program.source, replicate=self._replicate, parent=program.trial, note=note)
                self._queue.append(again)
        claim = f"claims {score - incumbent.scores[0]:+.4f}; kept only if replicate {self._replicate} agrees"
        return Verdict(False, claim), incumbent

    def pending(self) -> Candidate | None:
        return self._queue[0] if self._queue else None

    def failed(self) -> None:
        """If it was a replicate, the claim is dropped."""
        if self._queue:
            self._replicate += 1
        self._queue, self._rival = [], None

    def _judge_replicate(self, candidate: Candidate, score: float, incumbent: Program) -> tuple[Verdict, Program]:
        rival = self._rival
        assert rival is not None
        due = self._queue.pop(0)
        (incumbent if due.source == incumbent.source else rival).scores[candidate.replicate] = score
        if self._queue:
            return Verdict(False, f"the incumbent's mean is now {incumbent.score:.4f}"), incumbent
        self._rival = None
        self.best = better(self.best, incumbent)
        return compare(rival, incumbent, self.best, self.noise, self.margin)


def better(best: Program | None, incumbent: Program) -> Program:
    """Which of two programs has the better mean, on the replicates that both have."""
    if best is None:
        return incumbent
    shared = best.scores.keys() & incumbent.scores.keys()
    return incumbent if incumbent.mean_of(shared) < best.mean_of(shared) else best


def compare(
    rival: Program, incumbent: Program, best: Program, noise: NoiseFloor | None, margin: float
) -> tuple[Verdict, Program]:
    """Against the best so far: beyond the margin the better program wins, within it one that is shorter than the incumbent;
    on the replicates that both have."""
    shared = rival.scores.keys() & best.scores.keys()
    difference = rival.mean_of(shared) - best.mean_of(shared)
    spread = 0.0 if noise is None else noise.sd * math.sqrt(2 / len(shared))
    words = f"{difference:+.4f} against trial {best.trial}"
    if noise is None:
        words += ", noise floor unknown (no control when the study began): every difference counts"
    else:
        words += f", margin {margin * spread:.4f} = {margin:g} sd of a difference (control of {noise.trials} trials)"
    if abs(difference) > margin * spread:
        kept = difference < 0
    else:
        kept = rival.length < incumbent.length
        words += f"; within noise the shorter program wins ({rival.length} against {incumbent.length} characters)"
    return Verdict(kept, words), rival if kept else incumbent


RULES: dict[str, Callable[[NoiseFloor | None, float], KeepRule]] = {
    "greedy": lambda noise, margin: Greedy(),
    "margin": Margin,
    "replicate": Replicate,
}
