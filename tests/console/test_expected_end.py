"""A study says when it will be over, as far as that can be known."""

from __future__ import annotations

import io
from datetime import datetime

import pytest
from rich.console import Console

from search.config.schema import BudgetConfig, StudyConfig
from search.console.expected_end import expected_end
from search.console.progress import PlainDisplay
from search.study.journal import Entry
from search.study.trial import Candidate, Cost, Origin, Outcome, Status, Trial, Verdict

NOW = datetime(2026, 1, 30, 22, 30)
SECONDS, TOKENS = BudgetConfig(seconds=300.0), BudgetConfig(tokens=16384)


def finished(number: int, took: float, waited: float = 0.0, origin: Origin = Origin.STRATEGY) -> Entry:
    """Trained for 300 s of the time that it `took`, after an LLM had been waited for."""
    outcome = Outcome(Status.COMPLETED, 2.5, train_seconds=300.0)
    answer = Candidate("A = 1", cost=Cost(None, None, None, None, waited, 1))
    return Entry(Trial(number, origin, answer, outcome), 1, 1000.0, 1000.0 + took, Verdict(True, "better"))


STOCK = finished(0, 330.0, origin=Origin.STOCK)


@pytest.mark.parametrize(
    ("study", "budget", "entries", "said"),
    [
        ({"trials": 100}, SECONDS, [], "100 trials of 5.0 min and more: ends 06:50 tomorrow at the earliest"),
        ({"trials": 100}, TOKENS, [], None),
        ({"trials": 11}, TOKENS, [STOCK], "10 more trials of about 5.5 min: ends about 23:25"),
        ({"trials": 12}, SECONDS, [STOCK, finished(1, 330.0, 60.0)], "10 more trials of about 6.0 min: ends about 23:30"),
        (
            {"trials": 12, "ahead": 1},
            SECONDS,
            [STOCK, finished(1, 330.0, 60.0)],
            "10 more trials of about 5.5 min: ends about 23:25",
        ),
        ({"trials": 21, "parallel": 2}, TOKENS, [STOCK], "20 more trials of about 5.5 min: ends about 23:25"),
        (
            {"trials": 101, "anchor_every": 10},
            SECONDS,
            [STOCK],
            "110 more trials of about 5.5 min: ends about 08:35 tomorrow",
        ),
        ({"trials": 900}, SECONDS, [STOCK], "899 more trials of about 5.5 min: ends about 08:54 on Tue 03 Feb"),
        ({"train_hours": 1.0}, SECONDS, [STOCK], "11 more trials of about 5.5 min: ends about 23:30"),
        ({"trials": 5, "train_hours": 1.0}, SECONDS, [STOCK], "4 more trials of about 5.5 min: ends about 22:52"),
        ({"trials": 1}, SECONDS, [STOCK], None),
        ({"usd": 5.0}, SECONDS, [STOCK], None),
    ],
)
def test_the_end_is_foreseen_from_the_budget_and_then_from_what_trials_took(study, budget, entries, said):
    assert expected_end(StudyConfig(**study), budget, entries, NOW) == said


def test_it_is_said_with_every_trial():
    output = io.StringIO()
    display = PlainDisplay(Console(file=output), lambda entries: f"foreseen after {len(entries)}")
    for entry in (STOCK, finished(1, 330.0)):
        display.finished(entry, None, "")
    assert [output.getvalue().count(f"foreseen after {trials}") for trials in (1, 2)] == [1, 1]
