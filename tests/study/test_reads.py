"""A study that reads another one says so, and reads the same whenever it is resumed."""

from __future__ import annotations

import pytest

from search.config.messages import UserError
from search.study.journal import FILE, Journal
from search.study.reads import Reads, sources_of
from search.study.trial import Candidate, Origin, Outcome, Status, Verdict

OTHER, OWN = "exp/cpu/agent/0", "exp/cpu/retune/0"


def told(journal, number, score):
    journal.ask(number, Origin.STRATEGY if number else Origin.STOCK, Candidate(f"LR = {score}\n"), 1)
    journal.tell(number, Outcome(Status.COMPLETED, val_bpb=score, audited=True), Verdict(True, "kept"))


@pytest.fixture
def studies(tmp_path):
    """With one complete study."""
    with Journal(tmp_path / OTHER, print) as journal:
        journal.append("study", id="i", identity=OTHER, reads=[{"study": "exp/cpu/first/0", "journal": "x", "bytes": 1}])
        told(journal, 0, 2.0)
        told(journal, 1, 1.5)
    return tmp_path


def begun(studies, record):
    with Journal(studies / OWN, print) as journal:
        journal.append("study", id="j", identity=OWN, reads=record)


def test_a_study_reads_the_same_again_after_the_other_has_gone_on(studies):
    first = Reads(studies, OWN)
    assert first.study("agent").winner.trial.candidate.source == "LR = 1.5\n"
    begun(studies, first.record)
    with Journal(studies / OTHER, print) as journal:
        told(journal, 2, 1.2)
        journal.ask(3, Origin.STRATEGY, Candidate("LR = 9\n"), 1)  # and it runs
    again = Reads(studies, OWN)
    assert again.study(OTHER).winner.score == 1.5
    assert again.record == first.record


def test_what_was_read_by_what_is_read_is_on_record_too(studies):
    reads = Reads(studies, OWN)
    reads.study("agent")
    assert sources_of({"identity": OWN, "reads": reads.record}) == {OWN, OTHER, "exp/cpu/first/0"}


def test_a_journal_that_is_another_one_by_now_is_refused(studies):
    reads = Reads(studies, OWN)
    reads.study("agent")
    begun(studies, reads.record)
    path = studies / OTHER / FILE
    path.write_text(path.read_text().replace("1.5", "1.4"))
    with pytest.raises(UserError, match="is no longer the journal"):
        Reads(studies, OWN).study("agent")


@pytest.mark.parametrize(
    "name, words",
    [
        ("tuner", "no such study"),
        ("retune", "this study itself"),
        ("exp/gpu/agent/0", "of task=gpu"),
        ("exp/agent", "is not a study"),
        ("../cpu/agent/0", "is not a study"),
    ],
)
def test_what_cannot_be_read_is_named(studies, name, words):
    with pytest.raises(UserError, match=words):
        Reads(studies, OWN).study(name)


def test_a_study_that_runs_is_not_read(studies):
    with Journal(studies / OTHER, print) as journal:
        journal.ask(2, Origin.STRATEGY, Candidate("LR = 9\n"), 1)
    with pytest.raises(UserError, match="finish it first"):
        Reads(studies, OWN).study("agent")


def test_a_journal_that_was_begun_before_candidates_had_several_parents_is_read(studies):
    path = studies / OTHER / FILE
    path.write_text(path.read_text().replace(', "merged": []', ""))
    assert "merged" not in path.read_text()
    with Journal(studies / OTHER, print) as journal:
        journal.ask(2, Origin.STRATEGY, Candidate("LR = 3\n", parent=1, merged=(0,)), 1)
    with Journal(studies / OTHER, print) as journal:
        assert journal.entries[1].trial.candidate.parents == ()
        assert journal.schedule.pending[2].answer.parents == (1, 0)
