"""The only loop and the only budget: one strategy, one search seed, a sequence of trials that begins with the stock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from search.config.files import failed_file
from search.config.messages import UserError
from search.study import source
from search.study.budget import Budget
from search.study.contract import Done, Strategy
from search.study.journal import Entry, Journal
from search.study.readable import unreadable
from search.study.request import Observer, Progress, TrialRequest
from search.study.seeds import training_seed
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Unusable, Verdict
from search.study.winner import ranked, winner_of

MOST_UNUSABLE = 5  # unusable answers in a row, in one start, that end a study
MOST_DUPLICATES = 100  # proposals in a row that were trained before, after which nothing new is expected
CRASHES_BEFORE_ANCHOR = 3  # in a row, that make the study try the stock again
STOPPED = "stopped on request"
DONE, EXHAUSTED = "the strategy is done", "this space is exhausted"


class Runner(Protocol):
    def run(self, request: TrialRequest, observe: Observer) -> Outcome: ...


class Publisher(Protocol):
    def publish(self) -> None:
        """Bring the published record up to date with the journal, or say that this is not possible now."""
        ...


class Display(Protocol):
    def say(self, text: str) -> None: ...
    def asking(self, number: int) -> None: ...
    def started(self, number: int, origin: Origin, note: str) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None: ...


@dataclass
class Study:
    """Runs a study from wherever its journal stands to the end of its budget.

    Resuming is the same loop: the strategy is asked and told everything again, and what the journal holds is not trained
    again. `stop` is asked after each trial whether to end early.
    """

    strategy: Strategy
    runner: Runner
    journal: Journal
    publisher: Publisher
    display: Display
    budget: Budget
    stock: str
    search_seed: int
    audit_share: float
    audit_within: float = 0.0  # of the best score: what a keep rule may call equal to it must be audited too
    seed_of: Callable[[int, int], int] = training_seed  # from search seed and replicate number
    stock_facts: dict[str, str] = field(default_factory=dict)  # what is on record of the stock's first training
    stop: Callable[[], bool] = lambda: False
    history: list[Trial] = field(default_factory=list)
    best: Trial | None = None  # by score, kept or not: what would beat it must be audited
    _programs: dict[tuple[str, int], int] = field(default_factory=dict)  # (program, replicate) -> the trial that trained it
    _unusable: int = 0

    def run(self) -> str:
        """Returns why the study ended. Raises UserError where it cannot go on; whatever is finished is in the journal."""
        recorded = list(self.journal.entries)
        while True:
            number = len(self.history)
            entry = recorded[number] if number < len(recorded) else None
            if entry is None:
                reason = self._over()
                if reason is not None:
                    return reason
            asked = self._next(number)
            if isinstance(asked, Done):
                return asked.reason
            origin, answer = asked
            if entry is not None:
                self._replay(entry, origin, answer)
            elif self.stop():  # asked for while an LLM was thinking
                return STOPPED
            else:
                self._run_trial(number, origin, answer)

    def _over(self) -> str | None:
        if self.stop():
            return STOPPED
        if self._unusable >= MOST_UNUSABLE:
            return f"{self._unusable} unusable answers in a row, the last one: {self.history[-1].outcome.reason}"
        return self.budget.spent(self.history)

    def _next(self, number: int) -> tuple[Origin, Candidate | Unusable] | Done:
        """Who is due, and what they ask for."""
        if number == 0:
            return Origin.STOCK, Candidate(self.stock, note="the stock", facts=self.stock_facts)
        if self._anchor_due():
            return Origin.ANCHOR, Candidate(self.stock, parent=0, note="the stock again, same training seed")
        self.display.asking(number)
        return self._ask(number)

    def _ask(self, number: int) -> tuple[Origin, Candidate | Unusable] | Done:
        """Ask the strategy, until it proposes what has not been trained. A duplicate is answered from the record and costs
        nothing, a trial neither; resuming, the strategy proposes and is told the same."""
        for _ in range(MOST_DUPLICATES):
            answer = self.strategy.ask(self.history)
            if isinstance(answer, Done):
                return Done(f"{DONE}: {answer.reason}")
            earlier = self._earlier(answer)
            if earlier is None:
                return Origin.STRATEGY, answer
            self.strategy.tell(Trial(number, Origin.STRATEGY, answer, self.history[earlier].outcome, duplicate_of=earlier))
        return Done(f"{EXHAUSTED}: {MOST_DUPLICATES} proposals in a row were all trained before")

    def _earlier(self, answer: Candidate | Unusable) -> int | None:
        """The trial that trained this program with this seed."""
        if isinstance(answer, Unusable):
            return None
        try:
            return self._programs.get((source.program_hash(answer.source), answer.replicate))
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # it is not trained either
            return None

    def _anchor_due(self) -> bool:
        """After every so many trials; after several crashes in a row, which may be the machine's fault; and again after an
        anchor that failed."""
        every = self.budget.limits.anchor_every
        if every is None:
            return False
        if self.history[-1].origin is Origin.ANCHOR:
            return self.history[-1].status is not Status.COMPLETED
        since = 0
        for trial in reversed(self.history):
            if trial.origin is Origin.ANCHOR:
                break
            since += 1
        last = self.history[-CRASHES_BEFORE_ANCHOR:]
        crashing = len(last) == CRASHES_BEFORE_ANCHOR and all(trial.status is Status.CRASHED for trial in last)
        return since >= every or crashing

    def _run_trial(self, number: int, origin: Origin, answer: Candidate | Unusable) -> None:
        seed = self.seed_of(self.search_seed, answer.replicate if isinstance(answer, Candidate) else 0)
        self.journal.start(number, origin, answer, seed)
        try:
            self.display.started(number, origin, answer.note)
            trial = self._train(number, origin, answer, seed)
        except KeyboardInterrupt:
            self.journal.append("interrupted", durable=True, number=number)
            raise
        except OSError as error:  # the harness's own files: a full disk, a token file that is gone
            raise failed_file(error, self.journal.folder) from error
        self.journal.finish(trial)
        self._unusable = self._unusable + 1 if trial.status is Status.UNUSABLE else 0
        self.journal.judge(self._take(trial))
        self.publisher.publish()
        entries = self.journal.entries
        self.display.finished(entries[-1], winner_of(entries), self.budget.left(self.history))
        if self._stock_is_broken():
            raise UserError(self._stock_failed(trial))

    def _train(self, number: int, origin: Origin, answer: Candidate | Unusable, seed: int) -> Trial:
        """Have the candidate trained, unless there is nothing to train."""
        if isinstance(answer, Unusable):
            return Trial(number, origin, answer, Outcome(Status.UNUSABLE, reason=answer.reason))
        if problem := unreadable(answer.source):
            return Trial(number, origin, answer, Outcome(Status.UNUSABLE, reason=f"the program {problem}"))
        request = TrialRequest(
            source=answer.source,
            training_seed=seed,
            logs=self._logs(number),
            beat=None if self.best is None else self.best_score + self.audit_within,
            is_stock=origin is Origin.STOCK,
            stock=self.history[0].outcome.spent if self.history else None,
            # Replicates decide what is kept. The draw is from the system's entropy: no candidate can foresee it.
            audit_anyway=answer.replicate > 0 or random.SystemRandom().random() < self.audit_share,
        )
        return Trial(number, origin, answer, self.runner.run(request, self.display.progress))

    def _replay(self, entry: Entry, origin: Origin, answer: Candidate | Unusable) -> None:
        """Check that the strategy proposes what it proposed then, and take the outcome from the journal."""
        then = entry.trial
        if (origin, _trained(answer)) != (then.origin, _trained(then.answer)):
            raise UserError(
                f"{self.journal.folder}: asked again, the strategy proposes something else than trial {then.number} of the "
                "journal; run the version that began this study, or use another experiment="
            )
        verdict = self._take(then)
        if entry.verdict is None:  # the last one, where the harness died at this very place
            self.journal.judge(verdict)

    def _take(self, trial: Trial) -> Verdict:
        """Add a finished trial to the history and have it judged, by the strategy or else by best score."""
        self.history.append(trial)
        if trial.candidate is not None and trial.status is not Status.UNUSABLE:
            program = source.program_hash(trial.candidate.source)
            self._programs.setdefault((program, trial.candidate.replicate), trial.number)
        verdict = self._by_best_score(trial)
        if trial.origin is not Origin.ANCHOR:
            verdict = self.strategy.tell(trial) or verdict
        self.best = next(iter(ranked([trial] if self.best is None else [self.best, trial])), None)
        return verdict

    @property
    def best_score(self) -> float:
        """The score of the best trial so far."""
        assert self.best is not None and self.best.val_bpb is not None
        return self.best.val_bpb

    def _by_best_score(self, trial: Trial) -> Verdict:
        if trial.origin is Origin.ANCHOR:
            return Verdict(False, "an anchor: shows drift, cannot win")
        if trial.val_bpb is None:
            return Verdict(False, trial.outcome.reason)
        if self.best is None:
            return Verdict(True, "the first score")
        difference = trial.val_bpb - self.best_score
        if difference < 0 and trial.outcome.audited:
            return Verdict(True, f"{-difference:.4f} better than trial {self.best.number}")
        return Verdict(False, f"{difference:+.4f} against trial {self.best.number}")

    def _stock_is_broken(self) -> bool:
        """The stock failed to begin with, or as an anchor twice in a row: a single stall must not end a night's study."""
        last = self.history[-2:] if self.history[-1].origin is Origin.ANCHOR else self.history[-1:]
        return all(trial.origin is not Origin.STRATEGY and trial.status is not Status.COMPLETED for trial in last)

    def _stock_failed(self, trial: Trial) -> str:
        what = f"ended {trial.status}: {trial.outcome.reason} (log: {self._logs(trial.number)}.train.txt)"
        if trial.origin is Origin.STOCK:
            return f"the stock itself {what}.\nMend it, and remove {self.journal.folder} or use another experiment="
        return (
            f"the stock, which trained well before, failed twice in a row; it {what}.\n"
            "The machine is not what it was: mend it, and give the same command again"
        )

    def _logs(self, number: int) -> Path:
        return self.journal.folder / "logs" / f"{number:04d}"


def _trained(answer: Candidate | Unusable) -> tuple[str, int] | None:
    """What a study is about. How an answer is worded may differ from one version to the next."""
    return (answer.source, answer.replicate) if isinstance(answer, Candidate) else None
