"""Journals of long studies, made at once and not trial by trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from search.config.schema import StudyConfig
from search.executor.drive import drive
from search.study import fingerprint
from search.study.budget import Budget
from search.study.contract import NoiseFloor
from search.study.journal import FILE, Journal
from search.study.request import TrialRequest
from search.study.study import Study
from search.study.trial import Candidate, LossPoint, Outcome, Status, Trial
from search.testing.synthetic import Nowhere, Silent

LOSSES = 200  # points of a loss curve: a trial of 300 s keeps 200 to 400


class Numbered:
    """A strategy that proposes the stock with a number in it, at once."""

    def __init__(self, stock: str) -> None:
        self.stock = stock

    def program(self, number: int) -> str:
        return f"{self.stock}\nNUMBER = {number}\n"

    def ask(self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None) -> Candidate:
        return Candidate(self.program(len(history) + len(pending)), parent=0)

    def tell(self, trial: Trial) -> None:
        pass


class Instant:
    """An executor whose trials have ended when they are waited for."""

    def __init__(self) -> None:
        self._running: list[int] = []

    def submit(self, number: int, request: TrialRequest) -> None:
        self._running.append(number)

    def next_done(self) -> tuple[int, Outcome]:
        losses = tuple(LossPoint(at * 1.5, at * 2_000_000, 3.0 + 1 / (1 + at)) for at in range(LOSSES))
        outcome = Outcome(Status.COMPLETED, val_bpb=1.0, audited=True, train_seconds=300.0, losses=losses)
        return self._running.pop(0), outcome

    def close(self) -> None:
        pass


def study_of(journal: Journal, stock: str, trials: int) -> Study:
    """A study of so many trials, the stock's too, without its harness."""
    return Study(Numbered(stock), journal, Budget(StudyConfig(trials=trials)), stock, 0, audit_share=0.1)


def write(folder: Path, stock: str, trials: int, begin: Callable[[Journal], None] = lambda journal: None) -> None:
    """A journal of so many trials in a new folder: two are run, and the others are made after the second. `trials`: 2 or
    more. `begin`: writes its first line."""
    with Journal(folder, print) as journal:
        begin(journal)
        drive(study_of(journal, stock, 2), Instant(), Silent(), Nowhere())
    strategy, path = Numbered(stock), folder / FILE
    model = [line for line in map(json.loads, path.read_text().splitlines()) if line.get("number") == 1]
    with path.open("a") as file:
        for number in range(2, trials):
            program = strategy.program(number).encode()
            digest = hashlib.sha256(program).hexdigest()
            (folder / "sources" / f"{digest[:16]}.py").write_bytes(program)
            for line in model:
                made = {**line, "number": number, "time": line["time"] + number}
                if "answer" in line:  # any fingerprint does that no other program has: reading 10,000 takes minutes
                    made |= {"answer": {**line["answer"], "source": digest}, "program": fingerprint.sealed(digest, digest)}
                file.write(json.dumps(made) + "\n")
