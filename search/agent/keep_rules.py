"""Three rules for which edits an agent keeps and builds on. Each verdict gives its reason with a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from search.agent.paired import FEWEST_PAIRS, Pairs, better, compare
from search.agent.paired import Program as Program
from search.strategy import Candidate, NoiseFloor, Trial, Verdict
from search.study.winner import compared


class KeepRule(Protocol):
    """Trials may be judged in any order of finishing."""

    @property
    def words(self) -> str:
        """What is kept, as an LLM is told."""
        ...

    def judge(self, trial: Trial, incumbent: Program, noise: NoiseFloor | None) -> tuple[Verdict, Program]:
        """Judge a scored trial, and decide which program is the incumbent from now on. `noise`: as last told."""
        ...

    def due(self) -> Candidate | None:
        """A replicate that must be trained before the next proposal. Each is returned once."""
        ...

    def failed(self, trial: Trial, incumbent: Program) -> None:
        """A trial has no score."""
        ...


class Greedy:
    """Keep any improvement of a single trial, as autoresearch does it. One within the noise floor is kept too, and said."""

    words = "an edit whose score is better than that of the current program, by however little"

    def judge(self, trial: Trial, incumbent: Program, noise: NoiseFloor | None) -> tuple[Verdict, Program]:
        rival = _program(trial)
        words = compared(rival.score, incumbent.score, incumbent.trial)
        if rival.score >= incumbent.score:
            return Verdict(False, f"{words}: no improvement"), incumbent
        if noise is not None and incumbent.score - rival.score < noise.sd:
            words += f", within the noise floor of {noise.sd:.4f}"
        return Verdict(True, words), rival

    def due(self) -> Candidate | None:
        return None

    def failed(self, trial: Trial, incumbent: Program) -> None:
        """Changes nothing."""


@dataclass
class Claim:
    """A program that seems better than the incumbent, until both are trained again. `due`: what is not asked for yet.
    `missing`: the programs whose run is not told yet."""

    rival: Program
    due: list[Candidate] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


class Replicate:
    """A claimed improvement is trained again, as replicate 1, before it is kept. The means must then differ by more than
    `margin` standard deviations.

    The incumbent is trained again too, if it was not, so both sides of the comparison have the same replicates. A
    replicate that fails is not repeated, since that would be the same training run: later claims use the next one.
    Claims are settled one after the other. A claim that was made meanwhile waits, and is dropped if the incumbent has
    become better.
    """

    def __init__(self, margin: float) -> None:
        self.margin = margin
        self.pairs = Pairs()
        self.best: Program | None = None
        self._replicate = 1
        self._claim: Claim | None = None
        self._rivals: list[Program] = []  # that wait

    @property
    def words(self) -> str:
        return (
            "an edit that scores better is trained again under another seed, and so is the current program; it is kept if "
            f"their means differ by more than {self.margin:g} standard deviations of such a difference"
        )

    def judge(self, trial: Trial, incumbent: Program, noise: NoiseFloor | None) -> tuple[Verdict, Program]:
        candidate, score = trial.candidate, trial.val_bpb
        assert candidate is not None and score is not None
        if candidate.replicate > 0:
            return self._judge_replicate(candidate, score, incumbent, noise)
        if score >= incumbent.scores[0]:
            return Verdict(False, compared(score, incumbent.scores[0], incumbent.trial)), incumbent
        self._rivals.append(Program(trial.number, candidate.source, {0: score}))
        self._open(incumbent)
        words = compared(score, incumbent.scores[0], incumbent.trial)
        claim = f"claims to be {words}; kept only if replicate {self._replicate} agrees"
        return Verdict(False, claim), incumbent

    def due(self) -> Candidate | None:
        return self._claim.due.pop(0) if self._claim is not None and self._claim.due else None

    def failed(self, trial: Trial, incumbent: Program) -> None:
        """If it was a replicate, the claim is dropped."""
        candidate, claim = trial.candidate, self._claim
        if candidate is not None and claim is not None and candidate.replicate == self._replicate:
            self._replicate += 1
            self._claim = None
            self._open(incumbent)

    def _open(self, incumbent: Program) -> None:
        """Take up the next claim, unless one is open."""
        while self._claim is None and self._rivals:
            rival = self._rivals.pop(0)
            if rival.scores[0] < incumbent.scores[0]:
                again = [program for program in (incumbent, rival) if self._replicate not in program.scores]
                due = [self._again(program) for program in again]
                self._claim = Claim(rival, due, {program.source for program in again})

    def _again(self, program: Program) -> Candidate:
        note = f"trial {program.trial} again, another training seed"
        return Candidate(program.source, replicate=self._replicate, parent=program.trial, note=note)

    def _judge_replicate(
        self, candidate: Candidate, score: float, incumbent: Program, noise: NoiseFloor | None
    ) -> tuple[Verdict, Program]:
        claim = self._claim
        if claim is None or candidate.replicate != self._replicate or candidate.source not in claim.missing:
            return Verdict(False, f"{score:.4f}, and its claim was dropped: another training run of it failed"), incumbent
        claim.missing.discard(candidate.source)
        (incumbent if candidate.source == incumbent.source else claim.rival).scores[candidate.replicate] = score
        if claim.missing:
            again = incumbent if candidate.source == incumbent.source else claim.rival
            whose = "the incumbent's" if again is incumbent else "its"
            return Verdict(False, f"{whose} mean is now {again.score:.4f}"), incumbent
        self._claim = None
        self.best = better(self.best, incumbent)
        self.pairs.add(claim.rival, incumbent)
        verdict, kept = compare(claim.rival, incumbent, self.best, self.pairs.noise(noise), self.margin)
        self._open(kept)
        return verdict, kept


class Margin(Replicate):
    """Keep what is better by more than `margin` standard deviations of a difference; within that, keep the shorter program.

    How much differences vary on one seed is not known at first. The first three claims are trained again, as under
    `replicate`, and show it; that takes four training runs, unless one fails. From then on a single trial decides. The
    difference is to the best program that was kept so far. Compared with ever shorter incumbents, any loss could add up
    within the noise.
    """

    @property
    def words(self) -> str:
        return (
            f"an edit that is better than the best by more than {self.margin:g} standard deviations of a difference, or a "
            f"shorter program within that. The first {FEWEST_PAIRS} that score better are trained again, to learn that noise"
        )

    def judge(self, trial: Trial, incumbent: Program, noise: NoiseFloor | None) -> tuple[Verdict, Program]:
        rival = _program(trial)
        if self._claim is not None or 0 not in rival.scores or (self._learns() and rival.score < incumbent.scores[0]):
            return super().judge(trial, incumbent, noise)
        self.best = better(self.best, incumbent)
        return compare(rival, incumbent, self.best, self.pairs.noise(noise), self.margin)

    def _learns(self) -> bool:
        """Whether the noise of pairs is still unknown."""
        return self.pairs.degrees < FEWEST_PAIRS


def _program(trial: Trial) -> Program:
    """The program of a trial that has a score."""
    assert trial.candidate is not None and trial.val_bpb is not None
    return Program(trial.number, trial.candidate.source, {trial.candidate.replicate: trial.val_bpb})


RULES: dict[str, Callable[[float], KeepRule]] = {
    "greedy": lambda margin: Greedy(),
    "margin": Margin,
    "replicate": Replicate,
}
