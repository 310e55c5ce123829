"""Studies as a confirmation reads them, made up."""

from __future__ import annotations

from search.confirm.plan import STOCK, Arms
from search.confirm.settings import Settings
from search.confirm.studies import StudyRecord
from search.study import source
from search.study.journal import Entry
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Verdict

TEXT = "DEPTH = 8\nRATE = 0.5\n\n\ndef main():\n    print(DEPTH * RATE)\n"
SETTINGS = Settings(repeats=5, top=1, looks=1, stock_runs=3, at=[], order_seed=7)


def tuned(rate: float) -> str:
    """The stock with another constant."""
    return source.set_constants(TEXT, {"RATE": rate})


def entry(number: int, text: str, score: float, kept: bool = True, origin: Origin = Origin.STRATEGY) -> Entry:
    outcome = Outcome(Status.COMPLETED, score, audited=True, seconds={"train": 360.0})
    return Entry(Trial(number, origin, Candidate(text), outcome), 1, 0.0, 1.0, Verdict(kept, ""))


def study(config, *entries: Entry, strategy: str = "optuna", **header) -> StudyRecord:
    """A study whose first trial is the stock, with a score of 2."""
    facts = {"strategy": strategy, "task": {"device": "cpu"}, "stock": "s", "config": {"strategy": {"role": "baseline"}}}
    stock = entry(0, TEXT, 2.0, origin=Origin.STOCK)
    return StudyRecord(f"e/smoke/{strategy}/{config.seed}", config, {**facts, **header}, (stock, *entries))


def stock_arm() -> Arms:
    arms = Arms()
    arms.add(STOCK, TEXT)
    return arms
