"""What is put on record of a trial beside its score, and that none of it can be made up or break a trial."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest

from search.build import make_runner
from search.runner.request import TrialRequest
from search.task.corpus import FilesCorpus
from search.task.tokenizer import Tokenizer
from search.task.tokens import prepare
from search.trial import Outcome, Status
from tests.programs import program

NEW_FIELDS = ("field_bpb", "audit_sd", "audit_max")


@pytest.fixture
def run(smoke, tmp_path):
    """Run a program on the smoke task, with some of the task's settings, or its text, changed."""
    config, python_text = smoke

    def run_program(source, prepared=python_text, **settings):
        task = replace(config.task, **settings)
        runner = make_runner(replace(config, task=task), prepared, tmp_path / "work", tmp_path / "stock.npy")
        with contextlib.closing(runner):
            asked = TrialRequest(source, 1, tmp_path / "logs" / "trial", is_stock=True)
            return runner.run(asked, lambda progress: None)

    return run_program


def test_a_journal_of_an_earlier_version_is_read():
    record = json.loads(json.dumps(Outcome(Status.COMPLETED, 2.5).record()))
    for name in NEW_FIELDS:
        del record[name]
    assert Outcome.from_record(record) == Outcome(Status.COMPLETED, 2.5)


def test_the_fields_byte_count_takes_a_part_of_a_character_for_three_bytes():
    tokenizer = Tokenizer([bytes([value]) for value in range(256)] + ["日".encode(), "日".encode()[:2], b"ab"])
    exact, field = tokenizer.byte_lengths(), tokenizer.field_byte_lengths()
    assert field[:128].tolist() == [1] * 128 and field[128:256].tolist() == [3] * 128
    assert field[256:].tolist() == [3, 3, 2, 0] and exact[256:].tolist() == [3, 2, 2, 0]


def test_the_fields_count_understates_the_score_of_text_that_is_not_ascii(run, tmp_path):
    (tmp_path / "texts").mkdir()
    kana, random = [chr(0x3041 + number) for number in range(80)], np.random.default_rng(0)
    for number in range(60):  # as good as random: no character is worth a token of its own, so its bytes are scored apart
        text = "".join(random.choice(kana, 1500)) + " and plain words"
        (tmp_path / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")
    corpus = FilesCorpus(str(tmp_path / "texts"), ["*.txt"], 20)
    prepared = prepare("kana", corpus, 260, tmp_path / "cache", lambda text: None)
    outcome = run(program(), prepared, vocab_size=260)
    assert outcome.status is Status.COMPLETED
    assert outcome.field_bpb < 0.8 * outcome.val_bpb


def test_only_what_was_scored_and_challenged_has_these_numbers(run):
    scored, failed = run(program()), run("raise ValueError('at once')")
    assert 0 <= scored.audit_sd <= scored.audit_max < 1e-4  # a CPU gives the same answer twice
    assert (failed.field_bpb, failed.audit_sd, failed.audit_max) == (None, None, None)
    with pytest.raises(ValueError, match="cannot have a score"):
        Outcome(Status.CRASHED, reason="x", field_bpb=1.0)
