"""Which trial a study stands for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from baselines.seeds import Seeds
from search.study.contract import TaskFacts
from search.study.journal import Journal
from search.study.trial import Origin
from search.study.winner import finalists, ranked, winner_at, winner_of
from search.testing.synthetic import FailsOn, run_study


@dataclass(frozen=True)
class Row:
    number: int
    score: float | None
    kept: bool | None
    origin: str = Origin.STRATEGY

    @property
    def finished(self):
        return self.number


@pytest.mark.parametrize("fails", [lambda number: False, lambda number: number % 3 == 2])
def test_where_the_strategy_does_not_judge_it_is_the_best_score(tmp_path, fails):
    task = TaskFacts("test", "LR = 0.1\n", "cpu", 1, 8, 300, "1 second", "none", tmp_path)
    run_study(tmp_path, Seeds(task, 0), FailsOn(fails=fails), task.stock, 20, anchor_every=4)
    with Journal(tmp_path, print) as journal:
        entries = journal.entries
    own = [entry for entry in entries if entry.origin is not Origin.ANCHOR]
    assert len(own) < len(entries)
    for budget in range(1, 21):
        assert winner_at(entries, budget) is ranked(own[:budget])[0]


def test_where_it_judges_it_is_what_was_kept_last():
    rows = [
        Row(0, 2.0, True),
        Row(1, 1.5, True),
        Row(2, 1.0, False),
        Row(3, 1.6, True),
        Row(4, None, True),
        Row(5, 0.9, None),
    ]
    assert winner_of(rows).number == 3 == winner_of(reversed(rows)).number
    assert [row.number for row in finalists(rows)] == [3, 5, 2, 1, 0]
    assert winner_at(rows, 3).number == 1
    assert winner_of(rows[2:3]) is None and finalists(rows[2:3]) == []
