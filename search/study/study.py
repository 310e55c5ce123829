"""A study: one strategy, one search seed, one budget. It decides what to do next, and judges finished trials.

It runs nothing, shows nothing and knows no clock. Its state is a function of the steps in its journal, in their order.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from search.config.messages import UserError
from search.study.anchors import anchor_due, stock_is_broken, why_broken
from search.study.budget import Budget, Used, replies_in_words
from search.study.contract import Done, NeedsServer, NoiseFloor, Strategy
from search.study.journal import Journal
from search.study.programs import without_training
from search.study.proposals import Proposals
from search.study.prune import Policy
from search.study.request import TrialRequest
from search.study.schedule import Asked, Entry, Rebased, Repeated, Schedule, Step
from search.study.seeds import training_seed
from search.study.steps import Ask, Due, Known, Over, Wait, Work
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Unusable, Verdict
from search.study.winner import by_best_score, ranked

# Standard deviations from the best score within which every trial is audited: a keep rule may call it equal to the best.
AUDITED_DEVIATIONS = 4.0
MOST_UNUSABLE = 5  # unusable answers in a row, in one start, that end a study
STOPPED = "stopped on request"


@dataclass
class Study:
    """Continues from the state of its journal. Call `resume` first: it repeats every recorded ask and tell, in order.

    `parallel`: trials that may run at once. `ahead`: proposals that are asked for in advance of these. `prune`: how
    hopeless trials are ended early.
    """

    strategy: Strategy
    journal: Journal
    budget: Budget
    stock: str
    search_seed: int
    audit_share: float
    seed_of: Callable[[int, int], int] = training_seed  # from search seed and replicate number
    stock_facts: dict[str, str] = field(default_factory=dict)  # what is recorded of the stock's first training run
    noise_floor: Callable[[], NoiseFloor | None] = lambda: None  # what the control knows by now
    parallel: int = 1
    ahead: int = 0
    prune: Policy | None = None
    history: list[Trial] = field(default_factory=list)  # in the order of telling
    best: Trial | None = None  # by score, kept or not: what would beat it must be audited
    _used: Used = field(default_factory=Used)  # by the history
    _so_far: Schedule = field(default_factory=Schedule)
    _running: set[int] = field(default_factory=set)
    _unusable: int = 0  # in a row
    _done: str | None = None
    _broken: str | None = None

    def __post_init__(self) -> None:
        self._proposals = Proposals(self.strategy)

    def resume(self) -> None:
        """Raises UserError if the strategy does not repeat its recorded proposals."""
        for step in list(self.journal.schedule.steps):
            self._repeat(step)

    def due(self) -> Due:
        """What to do next. Raises UserError if the study cannot continue."""
        if self._broken is not None:
            raise UserError(self._broken)
        waiting = [asked for number, asked in self._so_far.pending.items() if number not in self._running]
        for asked in waiting:
            if (outcome := without_training(asked.answer)) is not None:
                return Known(asked, outcome)
        if waiting and len(self._running) < self.parallel:
            return self._begin(waiting[0])
        reason = self._over()
        if reason is not None:
            return Wait() if self._so_far.pending else Over(reason)
        return Ask(self._so_far.next) if self._may_ask() else Wait()

    def ask(self, number: int) -> None:
        """Ask the strategy what trial `number` will train, and record that."""
        floor = self.noise_floor()
        if number in self._so_far.pending:
            answer = self._proposals.rebased(number, self.history, self._so_far, floor)
            self._add(self.journal.rebase(number, answer, self._seed(answer), floor))
            return
        proposal = self._next(floor)
        if isinstance(proposal, Done):
            self._done = proposal.reason
        elif isinstance(proposal, Repeated):
            self._add(self.journal.repeat(number, proposal.of, floor))
        else:
            origin, answer = proposal
            repeats = self._proposals.repeats if origin is Origin.STRATEGY else ()
            self._add(self.journal.ask(number, origin, answer, self._seed(answer), floor, repeats))

    def start(self, number: int) -> None:
        """Note that the trial was given to an executor."""
        self._add(self.journal.start(number))
        self._running.add(number)

    def take(self, number: int, outcome: Outcome) -> Entry:
        """Take a trial's outcome: tell the strategy, judge the trial, and record it."""
        asked = self._so_far.pending[number]
        trial = Trial(number, asked.origin, asked.answer, outcome)
        entry = self.journal.tell(number, outcome, self._tell(trial))
        self._add(entry)
        self._running.discard(number)
        self._unusable = self._unusable + 1 if trial.status is Status.UNUSABLE else 0
        if stock_is_broken(self.history):
            self._broken = why_broken(trial, self.journal.folder, self._logs(number))
        return entry

    def interrupt(self) -> None:
        """Note that the running trials were cut off. They will run again."""
        for number in sorted(self._running):
            self.journal.append("interrupted", durable=True, number=number)

    @property
    def running(self) -> int:
        """How many trials are running."""
        return len(self._running)

    def left(self) -> str:
        """What is left of the budget, in words."""
        return self.budget.left(self._used, self._so_far.pending.values())

    def spent(self) -> str:
        """What an LLM's replies have cost so far, in words; empty if no LLM is asked."""
        said = replies_in_words([*self._used.paid, *self._so_far.pending.values()])
        return said or ("nothing yet" if self.history and isinstance(self.strategy, NeedsServer) else "")

    def _over(self) -> str | None:
        if self._done is not None:
            return self._done
        if self._unusable >= MOST_UNUSABLE:
            return f"{self._unusable} unusable answers in a row, the last one: {self.history[-1].outcome.reason}"
        return self.budget.spent(self._used, self._so_far.pending.values())

    def _may_ask(self) -> bool:
        """Nothing is asked for before the stock has ended."""
        pending = self._so_far.pending
        if 0 in pending or self._proposals.wait:
            return False
        return len(pending) < self.parallel + self.ahead

    def _next(self, floor: NoiseFloor | None) -> tuple[Origin, Candidate | Unusable] | Repeated | Done:
        """Which origin is due next, and what it proposes."""
        if not self.history:
            return Origin.STOCK, Candidate(self.stock, note="the stock", facts=self.stock_facts)
        if anchor_due(self.history, self._so_far.pending, self.budget.limits.anchor_every):
            return Origin.ANCHOR, Candidate(self.stock, parent=0, note="the stock again, same training seed")
        answer = self._proposals.next(self.history, self._so_far, floor)
        return answer if isinstance(answer, Done | Repeated) else (Origin.STRATEGY, answer)

    def _begin(self, asked: Asked) -> Ask | Work:
        return Ask(asked.number) if self._proposals.is_stale(asked) else Work(asked, self._request(asked))

    def _add(self, step: Step) -> None:
        self._so_far.add(step)
        if isinstance(step, Asked | Rebased):
            self._proposals.add(step.answer, step.number)

    def _seed(self, answer: Candidate | Unusable) -> int:
        return self.seed_of(self.search_seed, answer.replicate if isinstance(answer, Candidate) else 0)

    def _request(self, asked: Asked) -> TrialRequest:
        assert isinstance(asked.answer, Candidate)
        return TrialRequest(
            source=asked.answer.source,
            training_seed=asked.training_seed,
            logs=self._logs(asked.number),
            beat=self._beat(asked.noise_floor),
            is_stock=asked.origin is Origin.STOCK,
            stock=self.history[0].outcome.spent if self.history else None,
            prune=None if self.prune is None else self.prune.rule(asked, self.history, self.best),
            # Replicates decide what is kept. The draw is from the system's entropy: no candidate can foresee it.
            audit_anyway=asked.answer.replicate > 0 or random.SystemRandom().random() < self.audit_share,
        )

    def _beat(self, floor: NoiseFloor | None) -> float | None:
        """The score below which a trial must be audited."""
        if self.best is None or self.best.val_bpb is None:
            return None
        return self.best.val_bpb + (0.0 if floor is None else AUDITED_DEVIATIONS * floor.sd)

    def _repeat(self, step: Step) -> None:
        """Repeat a recorded step; the strategy must make the same proposal again."""
        then: object = None
        again: object = None
        if isinstance(step, Entry):
            self._tell(step.trial)
        elif isinstance(step, Asked):
            proposal = self._next(step.noise_floor)
            then = step.origin, _trained(step.answer)
            again = (proposal[0], _trained(proposal[1])) if isinstance(proposal, tuple) else proposal
        elif isinstance(step, Repeated):
            then, again = step, self._next(step.noise_floor)
        elif isinstance(step, Rebased):
            then = _trained(step.answer)
            again = _trained(self._proposals.rebased(step.number, self.history, self._so_far, step.noise_floor))
        if then != again:
            raise UserError(
                f"{self.journal.folder}: when asked again, the strategy proposes something other than trial "
                f"{step.number} of the journal; run the version that began this study, or use another experiment="
            )
        self._add(step)

    def _tell(self, trial: Trial) -> Verdict:
        """Add a finished trial to the history and have it judged, by the strategy or else by best score."""
        self.history.append(trial)
        self._used.add(trial)
        verdict = by_best_score(trial, self.best)
        if trial.origin is not Origin.ANCHOR:
            verdict = self.strategy.tell(trial) or verdict
        self.best = next(iter(ranked([trial] if self.best is None else [self.best, trial])), None)
        self._proposals.told(trial)
        return verdict

    def _logs(self, number: int) -> Path:
        return self.journal.folder / "logs" / f"{number:04d}"


def _trained(answer: Candidate | Unusable) -> tuple[str, int] | None:
    """The parts of an answer that matter to a study. Its wording may differ from one version to the next."""
    return (answer.source, answer.replicate) if isinstance(answer, Candidate) else None
