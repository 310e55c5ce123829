"""What candidates and LLMs write is shown, never obeyed; what stands out in their numbers is named."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from search.config.messages import printable
from search.console.progress import PlainDisplay
from search.study.doubts import doubts
from search.study.trial import LINE, LossPoint, Outcome, Status, one_line
from search.tracking.words import as_markdown

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202efdp.exe\x00\ud800[bold]red[/] <script>alert(1)</script> ![x](http://e.vil/p.png)"
)


@pytest.mark.parametrize("shown", [printable(HOSTILE), one_line(HOSTILE), as_markdown(HOSTILE)])
def test_no_control_character_is_left(shown):
    assert shown.isprintable() and shown.encode()


def test_a_terminal_is_sent_no_escape_of_a_candidates():
    screen = io.StringIO()
    PlainDisplay(Console(file=screen, force_terminal=True, width=500)).say(HOSTILE)
    assert "\\x1b]0;owned" in screen.getvalue() and "[bold]red[/]" in screen.getvalue()
    assert screen.getvalue().strip().isprintable()


def test_a_page_gets_neither_html_nor_links():
    shown = as_markdown("<script>alert(1)</script> ![x](http://e.vil/p.png) a|b")
    assert "<" not in shown and "](" not in shown and r"a\|b" in shown


def test_lines_end_somewhere():
    assert one_line("x\n" * 10_000).count("x") <= LINE
    assert printable("two\nlines\tand a tab") == "two\nlines\tand a tab"


STOCK = Outcome(
    Status.COMPLETED,
    2.4,
    4.0,
    train_seconds=25,
    tokens=1_000_000,
    losses=tuple(LossPoint(i, i, 4.1) for i in range(9)),
    spent={"startup": 3.0, "answers": 0.5},
)
NOISY = tuple(LossPoint(i, i, 4.1 + 0.4 * (-1) ** i) for i in range(100))  # of the last tenth a standard error of 0.13


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ()),
        ({"val_bpb": 1.5}, ("below_floor",)),
        ({"val_nats": 3.5}, ("loss_gap",)),
        ({"losses": tuple(LossPoint(i, i, 3.0) for i in range(9))}, ()),  # learned by heart: its own loss
        ({"tokens": 20_000_000}, ("too_fast",)),
        ({"train_seconds": 10.0}, ("ended_early",)),
        ({"train_seconds": 20.0, "spent": {"startup": 10.0, "startup_beyond": 5.0}}, ("long_startup",)),
        ({"spent": {"startup": 4.0, "answers": 20.0}}, ("slow_to_score",)),
        ({"spent": {"not_in_memory_mb": 5.0}}, ("read_from_disk",)),
        ({"val_nats": 3.6, "losses": NOISY}, ()),
        ({"val_nats": 3.2, "losses": NOISY}, ("loss_gap",)),
        ({"losses": ()}, ()),
    ],
)
def test_numbers_that_stand_out_are_named(configure, changed, found):
    assert doubts(replace(STOCK, **changed), STOCK, configure("task=cpu").task) == found


def test_a_trial_without_a_score_raises_no_doubt(configure):
    assert doubts(Outcome(Status.CRASHED, reason="x"), STOCK, configure("task=cpu").task) == ()
