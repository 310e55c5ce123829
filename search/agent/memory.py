"""What the agent knows of its study when it proposes something."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from search.agent.keep_rules import Program
from search.strategy import Candidate, NoiseFloor, Origin, Status, TaskFacts, Trial, Verdict, source
from search.study.budget import trials_left

CODE = ("code", "both")  # kinds of change that are more than constants


@dataclass(frozen=True)
class Memory:
    """`history`: in the order of telling. `verdicts`, `pending`: by trial number. `kept`: the trials whose programs
    were built on, in that order. `notes`: the agent's own notebook. `others`: what the prompt says about other
    studies. `rule`: which edits are kept, in words."""

    task: TaskFacts
    history: Sequence[Trial]
    verdicts: Mapping[int, Verdict]
    incumbent: Program
    pending: Mapping[int, Candidate]
    kept: Sequence[int] = (0,)
    noise: NoiseFloor | None = None
    notes: str = ""
    others: str = ""
    rule: str = ""

    @functools.cached_property
    def trials(self) -> Mapping[int, Trial]:
        """By number."""
        return {trial.number: trial for trial in self.history}

    @functools.cached_property
    def edits(self) -> list[Trial]:
        """The agent's own proposals, in the order of telling: neither the stock, nor an anchor, nor another training run of
        a program."""
        return [trial for trial in self.history if trial.origin is Origin.STRATEGY and not _is_replicate(trial)]

    @property
    def proposals(self) -> int:
        """How many edits were proposed, those that are being tried too."""
        return len(self.edits) + sum("mode" in candidate.facts for candidate in self.pending.values())

    @property
    def counts_time(self) -> bool:
        """Whether the budget is of time. Under one of tokens, speed is nothing that an LLM should think about."""
        return self.task.budget_tokens is None

    @property
    def left(self) -> int | None:
        """About how many trials the study has left, this one among them; None if nothing limits it."""
        return trials_left(self.task.study, self.history, len(self.pending))

    @property
    def narrow(self) -> float:
        """A loss that is worth another look, in bits per byte: 3 sd of a difference of two trials, or half a percent."""
        spread = 0.0 if self.noise is None else 3 * 2**0.5 * self.noise.sd
        return max(spread, 0.005 * self.incumbent.score)

    def parent(self, trial: Trial) -> Trial | None:
        """The trial whose program was edited."""
        return None if trial.candidate is None else self.trials.get(trial.candidate.parent or 0)

    def gain(self, trial: Trial) -> float | None:
        """By how much the edit changed val_bpb, against the program that was edited; negative is better."""
        parent = self.parent(trial)
        if trial.val_bpb is None or parent is None or parent.val_bpb is None:
            return None
        return trial.val_bpb - parent.val_bpb

    def kind(self, trial: Trial) -> str:
        """Of the change against the program that was edited: none, constants, code or both; empty if there is none."""
        parent = self.parent(trial)
        if trial.candidate is None or parent is None or parent.candidate is None:
            return ""
        return kind_of(parent.candidate.source, trial.candidate.source)

    def steps(self, number: int | None) -> Iterator[int]:
        """A trial, the one whose program it edited, and so on."""
        while number is not None and number in self.trials:
            yield number
            candidate = self.trials[number].candidate
            number = None if candidate is None or candidate.parent == number else candidate.parent

    def misses(self) -> list[Trial]:
        """Edits that were not kept but lost by little: a repair or a combination may help. The nearest come first."""
        lost = [(gain, -trial.number, trial) for trial in self.edits if (gain := self.gain(trial)) is not None]
        near = sorted(miss for miss in lost if miss[0] < self.narrow and miss[2].number not in self.kept)
        return [trial for _, _, trial in near]


@functools.lru_cache(maxsize=4096)  # two texts take a twentieth of a second, and are asked for at every proposal
def kind_of(before: str, after: str) -> str:
    return source.change(before, after).kind


def failed_to_train(trial: Trial) -> bool:
    """Whether the program broke for reasons that its author may fix."""
    return trial.status in (Status.CRASHED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.DIVERGED)


def training_log(trial: Trial) -> str:
    """The end of what training printed, of a trial that has a score or broke. Of others an LLM learns only the status."""
    return trial.outcome.log_tail if failed_to_train(trial) or trial.val_bpb is not None else ""


def _is_replicate(trial: Trial) -> bool:
    return trial.candidate is not None and trial.candidate.replicate > 0
