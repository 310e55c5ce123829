"""What somebody sees who watches a study."""

from __future__ import annotations

import io

from rich.console import Console

from search.console.progress import BarDisplay, PlainDisplay, make_display, summary
from search.study.journal import Entry
from search.study.request import Progress
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Verdict


def entry(number: int, **outcome) -> Entry:
    fields = {"status": Status.COMPLETED, "val_bpb": 2.5, "audited": True} | outcome
    trial = Trial(number, Origin.STRATEGY, Candidate("A = 1"), Outcome(**fields))
    return Entry(trial, 1, 0.0, 1.0, Verdict(True, "0.1 better"))


def shown(display_class, *arguments) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=display_class is BarDisplay, width=160)
    display = display_class(console, *arguments)
    display.asking(3, "7,000 tokens in, 900 out, $0.03")
    display.started(3, Origin.STRATEGY, "wider [bold]layers[/bold] \x1b[31m")
    display.progress(3, Progress("waiting"))
    display.progress(3, Progress("train", 0.5, 2.75, 10_000, 5.0))
    finished = entry(3)
    display.finished(finished, finished, "7 trials")
    display.close()
    return output.getvalue()


def test_plain_lines_name_trial_score_and_budget():
    text = shown(PlainDisplay)
    assert "trial 3: asking the strategy; its LLM has taken 7,000 tokens in, 900 out, $0.03" in text
    assert "trial 3: waiting for a free device" in text
    assert "val_bpb 2.5000, kept: 0.1 better | winner 2.5000 (trial 3) | left: 7 trials" in text


def test_bars_show_loss_and_speed():
    text = shown(BarDisplay, 10, 2)
    assert "50% of the budget, loss 2.7500, 2,000 tokens/s" in text and "left: 7 trials" in text


def test_untrusted_text_is_shown_and_not_obeyed():
    for text in (shown(PlainDisplay), shown(BarDisplay, 10, 2)):
        assert "[bold]layers[/bold]" in text and "\x1b[31m" not in text.replace("\x1b[31m━", "")


def test_a_pipe_gets_lines():
    assert type(make_display(Console(file=io.StringIO()), 3)) is PlainDisplay


def test_the_table_counts_failures_but_not_as_scores():
    entries = [entry(0), entry(1, status=Status.CRASHED, val_bpb=None, reason="x", audited=False)]
    output = io.StringIO()
    Console(file=output, width=160).print(summary("a/b/c/0", entries))
    row = next(line for line in output.getvalue().splitlines() if "2.5000" in line)
    assert row.replace("│", " ").split()[:5] == ["2", "1", "2.5000", "2.5000", "0"]
