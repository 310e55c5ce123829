"""What somebody sees who watches a study."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from search.console.progress import BarDisplay, PlainDisplay, make_display, summary
from search.study.journal import Entry
from search.study.request import Progress
from search.study.trial import Candidate, Origin, Outcome, Status, Trial, Verdict


def entry(number: int, **outcome) -> Entry:
    fields = {"status": Status.COMPLETED, "val_bpb": 2.5, "audited": True} | outcome
    trial = Trial(number, Origin.STRATEGY, Candidate("A = 1"), Outcome(**fields))
    return Entry(trial, 1, 0.0, 1.0, Verdict(True, "0.1 better"))


def shown(display_class, *arguments, width=160, foresee=lambda entries: "7 more trials: ends about 07:40") -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=display_class is BarDisplay, width=width)
    display = display_class(console, *arguments, foresee)
    display.asking(3, "7,000 tokens in, 900 out, $0.03")
    display.started(3, Origin.STRATEGY, "wider [bold]layers[/bold] \x1b[31m")
    display.progress(3, Progress("waiting"))
    for phase in ("build", "compile", "compile", "train"):
        display.progress(3, Progress(phase))
    display.progress(3, Progress("score"))
    display.progress(3, Progress("train", 0.5, 2.75, 10_000, 65.0))  # last: only what lasts is drawn as a bar
    finished = entry(3)
    display.finished(finished, finished, "7 trials")
    display.close()
    return output.getvalue()


def test_plain_lines_name_each_phase_once_the_score_and_the_end():
    text = shown(PlainDisplay)
    assert "trial 3: asking the strategy; its LLM has taken 7,000 tokens in, 900 out, $0.03" in text
    assert "trial 3: waiting for a free device" in text
    for phase in ("building the model", "compiling", "training", "being scored"):
        assert text.count(f"trial 3: {phase}\n") == 1
    assert "kept: 0.1 better | ends about 07:40 | winner 2.5000 (trial 3) | left: 7 trials" in text


@pytest.mark.parametrize("width", [80, 120])
def test_bars_percent_and_time_left_are_whole_however_narrow_the_terminal_is(width):
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown(BarDisplay, 10, width=width))
    study = [line for line in text.splitlines() if "study" in line][-1]
    trial = next(line for line in text.splitlines() if "1:05 left" in line)
    assert "━━" in trial and " 50% " in trial and "training 50%, 1:05 left, loss 2.7500" in trial
    assert "━━" in study and " 10% " in study and "ends ~07:40 | winner 2.5000 (trial 3) | left: 7 trials" in study
    assert all(len(line) <= width for line in (study, trial))


def test_untrusted_text_is_shown_and_not_obeyed():
    for text in (shown(PlainDisplay), shown(BarDisplay, 10)):
        assert "[bold]layers[/bold]" in text and "\x1b[31m" not in text.replace("\x1b[31m━", "")


def test_a_pipe_gets_lines():
    assert type(make_display(Console(file=io.StringIO()), 3)) is PlainDisplay


def test_the_summary_counts_failures_but_not_as_scores():
    entries = [entry(0), entry(1, status=Status.CRASHED, val_bpb=None, reason="x", audited=False)]
    first, second = summary("a/b/c/0", entries).splitlines()
    assert first.startswith("a/b/c/0: 2 trials, 1 completed; ")
    assert second == "winner: trial 0, val_bpb 2.5000, +0.0000 over the stock's 2.5000 (unconfirmed)"
