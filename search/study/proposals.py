"""The proposals of a strategy, without duplicates of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence

from search.study.contract import Done, NoiseFloor, Rebases, Strategy
from search.study.programs import Programs
from search.study.schedule import Asked, Repeated, Schedule
from search.study.trial import Candidate, Origin, Trial, Unusable

MOST_DUPLICATES = 100  # proposals in a row that were tried before, after which nothing new is expected
DONE, EXHAUSTED = "the strategy is done", "this space is exhausted"


class Proposals:
    """Asks the strategy, and tells it about duplicates: such a proposal is answered from the record and costs
    nothing."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self._programs = Programs()
        self.repeats: tuple[int, ...] = ()  # the trials that were proposed once more before the newest proposal
        self._repeats: list[int] = []  # and those since then
        self._held: dict[int, tuple[int, Candidate]] = {}  # by the running trial that it repeats

    @property
    def wait(self) -> bool:
        """Whether a proposal repeats a running trial. Nothing is asked for until that one has ended."""
        return bool(self._held)

    def next(
        self, history: Sequence[Trial], so_far: Schedule, noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Repeated | Done:
        """Ask until a proposal is new, or repeats a trial that is still running."""
        number = so_far.next
        while len(self._repeats) < MOST_DUPLICATES:
            answer = self.strategy.ask(history, so_far.candidates, noise_floor)
            if isinstance(answer, Done):
                return Done(f"{DONE}: {answer.reason}")
            earlier = self._programs.trial_of(answer)
            if earlier is None:
                self.repeats, self._repeats = tuple(self._repeats), []
                return answer
            assert isinstance(answer, Candidate)
            self._repeats.append(earlier)
            if earlier in so_far.pending:
                self._held[earlier] = number, answer
                return Repeated(number, earlier, noise_floor)
            self._tell_duplicate(number, answer, next(trial for trial in history if trial.number == earlier))
        return Done(f"{EXHAUSTED}: {MOST_DUPLICATES} proposals in a row were all tried before")

    def is_stale(self, asked: Asked) -> bool:
        """Whether the strategy would now propose something else. Trials that have started are left alone."""
        if asked.started is not None or asked.origin is not Origin.STRATEGY or not isinstance(self.strategy, Rebases):
            return False
        return isinstance(asked.answer, Candidate) and self.strategy.is_stale(asked.answer)

    def rebased(
        self, number: int, history: Sequence[Trial], so_far: Schedule, noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable:
        """What is proposed instead of a stale proposal. A duplicate is then not trained."""
        assert isinstance(self.strategy, Rebases)
        self._programs.remove(so_far.pending[number].answer, number)
        others = {other: answer for other, answer in so_far.candidates.items() if other != number}
        answer = self.strategy.rebase(number, history, others, noise_floor)
        earlier = self._programs.trial_of(answer)
        if earlier is None:
            return answer
        return Unusable(f"made anew it is the program of trial {earlier}", answer.note, answer.facts, answer.cost)

    def add(self, answer: Candidate | Unusable, number: int) -> None:
        """It is asked for now."""
        self._programs.add(answer, number)

    def told(self, trial: Trial) -> None:
        """That trial has ended, and what repeated it can be answered."""
        if trial.number in self._held:
            self._tell_duplicate(*self._held.pop(trial.number), trial)

    def _tell_duplicate(self, number: int, answer: Candidate, earlier: Trial) -> None:
        self.strategy.tell(Trial(number, Origin.STRATEGY, answer, earlier.outcome, duplicate_of=earlier.number))
