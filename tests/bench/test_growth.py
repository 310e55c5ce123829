"""A journal that is made at once is one that a study goes on from."""

from __future__ import annotations

from search.bench import growth, journals
from search.study.journal import Journal

STOCK = "LR = 0.1\n"


def test_a_made_journal_is_like_one_that_was_run(tmp_path):
    journals.write(tmp_path, STOCK, 30)
    with Journal(tmp_path, print) as journal:
        study = journals.study_of(journal, STOCK, 31)
        study.resume()
        assert [trial.number for trial in study.history] == list(range(30))
        assert len({trial.candidate.source for trial in study.history}) == 30
        assert study.due().number == 30


def test_costs_are_found_at_every_length():
    found = growth.cost(STOCK, 20)
    assert min(found.read, found.replay, found.trial) > 0
