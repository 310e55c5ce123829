"""The check of a draft: what it finds, and that it ends."""

from __future__ import annotations

import pytest

from search.runner import drafts
from search.runner.drafts import Drafts
from search.runner.process.candidate_process import CandidateProcess
from search.runner.stock import stock_of
from tests.sandboxes import WARM_BOX

STEP = "    run = task.join()\n"


@pytest.fixture
def check(configure, warm, tmp_path):
    """Check the stock of `task=smoke` with further lines in its `main`."""
    config = configure("task=smoke")
    stock = stock_of(config).text

    def run(lines="", stop=lambda: False):
        assert STEP in stock
        with warm.serving():
            said = Drafts(config.task, WARM_BOX, tmp_path / "drafts", print, stop).check(stock.replace(STEP, STEP + lines))
        assert not list((tmp_path / "drafts").iterdir())
        return said

    return run


def test_a_program_that_takes_a_step_is_fine(check):
    assert check() == ""


def test_one_that_breaks_says_where(check):
    why, _, printed = check("    raise ValueError('\\x1b' + str(run.vocab_size))\n").partition("\n")
    assert why == "the program ended with exit code 1"
    assert 'File "train.py", line ' in printed and printed.endswith("ValueError: \\x1b512")


def test_one_that_ends_early_is_not_fine(check):
    said = check("    print('fine: 1'), print('x'), __import__('sys').exit(0)\n")
    assert said.startswith("it ended before it had handed in a model")


@pytest.mark.parametrize("line", ["__import__('time').sleep(600)", "while True: pass"])
def test_one_that_does_not_end_is_ended(check, monkeypatch, line):
    monkeypatch.setattr(drafts, "CPU_SECONDS" if "while" in line else "SECONDS", 1.5)
    assert check(f"    {line}\n").startswith(drafts.ENDED)


def test_a_request_to_stop_ends_it(check):
    with pytest.raises(KeyboardInterrupt):
        check("    __import__('time').sleep(600)\n", stop=lambda: True)


def test_one_that_talks_much_is_watched_all_the_same(check, monkeypatch):
    looks = []
    monkeypatch.setattr(CandidateProcess, "cpu_seconds", lambda process: looks.append(process) or 0.0)
    send = "__import__('os').write(int(__import__('os').environ['FAIRTRIAL_CHANNEL']), b'{\"event\": \"\"}\\n' * 4_000)"
    assert check(f"    {send}\n") == ""
    assert len(looks) < 100  # each takes milliseconds, in which nothing else of it is seen


@pytest.mark.skipif(WARM_BOX == "none", reason="needs Landlock")
def test_it_has_the_walls_of_a_trial(check):
    for line in ("open('/etc/passwd')", "__import__('socket').create_connection(('127.0.0.1', 9))"):
        said = check(f"    {line}\n")
        assert "PermissionError" in said or "OSError" in said, said
