"""What identifies a program is worked out once, and read back from the journal."""

from __future__ import annotations

import ast
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study import fingerprint
from search.study.journal import FILE, Journal
from search.study.trial import Candidate
from search.testing.synthetic import SyntheticRunner, run_study

STOCK = "LR = 0.1\n"
LINES = ["A = 1", "A = 1  # one", "A = (1)", "A = 2", "'''words'''", "pass", "\n", "def f():\n    'words'\n    return 1"]


def _fresh(text: str) -> str:
    return hashlib.sha256(ast.dump(fingerprint.bare(text)).encode()).hexdigest()


@given(st.lists(st.sampled_from(LINES)).map("\n".join), st.integers(0, 63), st.sampled_from("0f "))
def test_what_is_remembered_or_recorded_is_what_reading_the_text_gives(text, at, damage):
    record = fingerprint.recorded(text)
    damaged = f"{record[:at]}{damage}{record[at + 1 :]}"
    for given_ in (None, record, damaged, fingerprint.recorded("B = 1"), 7, ""):
        fingerprint._known.clear()
        fingerprint.recall(fingerprint.text_hash(text), given_)
        assert fingerprint.fingerprint(text) == fingerprint.fingerprint(text) == _fresh(text)


class Repeats:
    """Proposes some programs, among them one that differs from an earlier one by a comment."""

    def __init__(self) -> None:
        self.asked = 0
        self.repeated: list[int] = []

    def ask(self, history, pending, noise_floor) -> Candidate:
        self.asked += 1
        return Candidate(["LR = 0.2\n", "LR = 0.3\n", f"LR = 0.2  # {self.asked}\n", f"LR = {self.asked}\n"][self.asked % 4])

    def tell(self, trial) -> None:
        if trial.duplicate_of is not None:
            self.repeated.append(trial.duplicate_of)


@pytest.mark.parametrize("journal", ["as it is", "of an earlier version", "with others' records"])
def test_a_resumed_study_recognizes_programs_whatever_its_journal_records(tmp_path, monkeypatch, journal):
    whole = Repeats()
    run_study(tmp_path / "whole", whole, SyntheticRunner(), STOCK, 8)
    run_study(tmp_path / "cut", Repeats(), SyntheticRunner(), STOCK, 5)
    path = tmp_path / "cut" / FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    asked = [line for line in lines if line["kind"] == "asked"]
    assert all(re.fullmatch(r"[0-9a-f]{64} [0-9a-f]{16}", line["program"]) for line in asked)
    for line, other in zip(asked, asked[1:] + asked[:1], strict=True):
        if journal == "of an earlier version":
            del line["program"]
        elif journal == "with others' records":
            line["program"] = other["program"]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    fingerprint._known.clear()
    read: list[str] = []
    monkeypatch.setattr(fingerprint, "bare", lambda text, bare=fingerprint.bare: (read.append(text), bare(text))[1])
    resumed, runner = Repeats(), SyntheticRunner()
    run_study(tmp_path / "cut", resumed, runner, STOCK, 8)
    assert resumed.repeated == whole.repeated and len(runner.requests) == 3
    with Journal(tmp_path / "whole", print) as first, Journal(tmp_path / "cut", print) as second:
        assert [entry.trial for entry in first.entries] == [entry.trial for entry in second.entries]
    recorded = {entry.trial.candidate.source for entry in second.entries[:5]}
    assert (journal == "as it is") == recorded.isdisjoint(read)
