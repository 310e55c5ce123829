"""Tracks a strategy's programs: which one it builds on, which were kept, and which were already tried."""

from __future__ import annotations

from collections.abc import Mapping

from search.agent.keep_rules import RULES, Program
from search.strategy import Candidate, NoiseFloor, Status, Trial, UserError, Verdict, source
from search.study.winner import compared


class Judge:
    """`keep`: greedy, margin or replicate. `margin`: of the latter two, in standard deviations. Raises UserError."""

    def __init__(self, stock: str, keep: str, margin: float) -> None:
        if keep not in RULES:
            raise UserError(f"strategy.keep={keep}: choose {', '.join(RULES)}")
        if margin < 0:
            raise UserError(f"strategy.margin={margin}: must be 0 or more")
        self.rule = RULES[keep](margin)
        self.incumbent = Program(0, stock)
        self.verdicts: dict[int, Verdict] = {}
        self.kept = [0]  # trials whose programs were built on
        self.known: dict[str, int] = {}  # programs that were tried, and the first trial of each

    def tell(self, trial: Trial, noise: NoiseFloor | None) -> Verdict:
        """`noise`: of the newest ask."""
        if trial.candidate is not None and trial.status is not Status.UNUSABLE:
            self.known.setdefault(source.program_hash(trial.candidate.source), trial.number)
        verdict = self.verdicts[trial.number] = self._verdict(trial, noise)
        if self.incumbent.trial != self.kept[-1]:
            self.kept.append(self.incumbent.trial)
        return verdict

    def repeats(self, program: str, pending: Mapping[int, Candidate]) -> str:
        """Why there is no point in training a program; empty if there is one."""
        digest = source.program_hash(program)
        if digest == source.program_hash(self.incumbent.source):
            return f"{NOTHING_CHANGED} of trial {self.incumbent.trial}"
        if digest in self.known:
            return f"{TRIED} {self.known[digest]} again"
        being = {source.program_hash(candidate.source): number for number, candidate in pending.items()}
        return f"{TRIED} {being[digest]}, which is being tried by now" if digest in being else ""

    def _verdict(self, trial: Trial, noise: NoiseFloor | None) -> Verdict:
        if trial.val_bpb is None:
            self.rule.failed(trial, self.incumbent)
            # About scoring a strategy learns only a status word; it can learn from why training failed.
            told = "" if trial.status is Status.DISQUALIFIED else f", {trial.outcome.reason}"
            return Verdict(False, f"no score: {trial.status}{told}")
        if trial.number == 0:
            self.incumbent.scores[0] = trial.val_bpb
            return Verdict(True, f"{trial.val_bpb:.4f}: the stock, to begin with")
        if not trial.outcome.audited:
            self.rule.failed(trial, self.incumbent)
            words = compared(trial.val_bpb, self.incumbent.score, self.incumbent.trial)
            return Verdict(False, f"{words}: too far from the best to be audited, and so nothing to build on")
        verdict, self.incumbent = self.rule.judge(trial, self.incumbent, noise)
        return verdict


TRIED = "it is the program of trial"
NOTHING_CHANGED = "it changes nothing but comments, docstrings or formatting"
