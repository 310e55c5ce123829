"""What a study shows while it runs: bars on a terminal, plain lines elsewhere, one table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import mean, stdev

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from search.config.messages import printable
from search.config.secrets import masked
from search.study.budget import dollars, train_hours
from search.study.journal import Entry
from search.study.request import Progress as TrialProgress
from search.study.trial import Origin, Trial, one_line
from search.study.winner import winner_of

NOTE_WIDTH = 50  # characters of a trial's note beside its bar
LINE_SECONDS = 30.0  # between two plain lines about one running trial

Foresee = Callable[[Sequence[Entry]], str | None]


class PlainDisplay:
    """A line per trial, and now and then one about each that runs. For logs and pipes."""

    def __init__(self, console: Console, foresee: Foresee = lambda entries: None) -> None:
        """`foresee`: see `make_display`."""
        self.console = console
        self.foresee = foresee
        self._spoke: dict[int, float] = {}  # of each running trial, when a line was last said about it

    def say(self, text: str) -> None:
        self.console.print(escape(printable(masked(text))), soft_wrap=True, highlight=False)

    def asking(self, number: int, spent: str) -> None:
        """The strategy is asked for a trial, which an LLM may take minutes to answer. `spent`: what its replies have cost so
        far, in words; empty where no LLM is asked."""
        if spent:
            self.say(f"{_label(number)}: {_asking(spent)}")

    def started(self, number: int, origin: Origin, note: str) -> None:
        self._spoke[number] = time.monotonic()
        self.say(f"{_label(number)}: {one_line(note)}")

    def progress(self, number: int, progress: TrialProgress) -> None:
        """May be called from any thread."""
        if progress.phase == "waiting":
            self.say(f"{_label(number)}: {describe(progress)}")
        elif progress.phase == "train" and time.monotonic() - self._spoke[number] >= LINE_SECONDS:
            self._spoke[number] = time.monotonic()
            self.say(f"{_label(number)}: {describe(progress)}")

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        self.say(f"{_label(entry.number)}: {result(entry)} | {_standing(winner, left)}")
        self._say_end(entry)

    def _say_end(self, entry: Entry) -> None:
        """After the stock's first trial it is known how long one takes."""
        if entry.trial.origin is Origin.STOCK and (end := self.foresee([entry])) is not None:
            self.say(end)

    def close(self) -> None:
        """Nothing to take down."""


class BarDisplay(PlainDisplay):
    """Above, a line per finished trial; below, a bar for the study and one for each trial that runs or is asked for."""

    def __init__(self, console: Console, trials: int | None, done: int, foresee: Foresee = lambda entries: None) -> None:
        super().__init__(console, foresee)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._study = self._bars.add_task("study", total=trials, completed=done, text="")
        self._trials: dict[int, TaskID] = {}
        self._free: list[TaskID] = []  # bars of trials that have ended
        self._bars.start()

    def asking(self, number: int, spent: str) -> None:
        self._show(number, _label(number), escape(_asking(spent)))

    def started(self, number: int, origin: Origin, note: str) -> None:
        self._show(number, escape(f"{_label(number)}: {one_line(note)[:NOTE_WIDTH]}"), "")

    def progress(self, number: int, progress: TrialProgress) -> None:
        self._bars.update(self._trials[number], completed=progress.share, text=escape(describe(progress)))

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        self._free.append(self._trials.pop(entry.number))
        self.say(f"{_label(entry.number)}: {result(entry)}")
        self._say_end(entry)
        if entry.trial.origin is not Origin.ANCHOR:
            self._bars.advance(self._study)
        self._bars.update(self._study, text=escape(_standing(winner, left)))

    def close(self) -> None:
        self._bars.stop()

    def _show(self, number: int, description: str, text: str) -> None:
        """A trial's bar, from its beginning."""
        if number not in self._trials:
            self._trials[number] = self._free.pop() if self._free else self._bars.add_task("", total=1.0, text="")
        self._bars.reset(self._trials[number], description=description, text=text)


def make_display(
    console: Console, trials: int | None, done: int = 0, foresee: Foresee = lambda entries: None
) -> PlainDisplay:
    """Bars where somebody watches, lines where not. `done`: how many of the `trials` are finished already. `foresee`: from
    the finished trials to a line that says when all will be over, or None."""
    return BarDisplay(console, trials, done, foresee) if console.is_terminal else PlainDisplay(console, foresee)


def _label(number: int) -> str:
    return f"trial {number}"


def _asking(spent: str) -> str:
    return f"asking the strategy; its LLM has taken {spent}" if spent else "asking the strategy"


def describe(progress: TrialProgress) -> str:
    """The running trial in a few words."""
    if progress.phase == "waiting":
        return "waiting for a free device" + (f"; held by {progress.holders}" if progress.holders else "")
    if progress.phase != "train":
        return progress.phase
    speed = progress.tokens / progress.train_seconds if progress.train_seconds else 0.0
    loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
    return f"{progress.share:.0%} of the budget{loss}, {speed:,.0f} tokens/s"


def result(entry: Entry) -> str:
    """A finished trial in a few words."""
    outcome, verdict = entry.trial.outcome, entry.verdict
    if outcome.val_bpb is None:
        return f"{outcome.status}: {one_line(outcome.reason)}"
    return f"val_bpb {outcome.val_bpb:.4f}, {'kept' if verdict.kept else 'not kept'}: {one_line(verdict.reason)}"


def summary(name: str, entries: Sequence[Entry]) -> Table:
    """The study in one short table."""
    history = sorted((entry.trial for entry in entries), key=lambda trial: trial.number)
    winner = winner_of(entries)
    trials = [trial for trial in history if trial.origin is not Origin.ANCHOR]
    stock = trials[0].val_bpb if trials else None
    cells = {
        "trials": str(len(trials)),
        "completed": str(sum(trial.val_bpb is not None for trial in trials)),
        "stock val_bpb": "-" if stock is None else f"{stock:.4f}",
        "winner's val_bpb": "-" if winner is None else f"{winner.score:.4f}",
        "winning trial": "-" if winner is None else str(winner.number),
        "training hours": f"{train_hours(history):.3f}",
    }
    again = [trial.val_bpb for trial in trials if trial.val_bpb is not None and _is_stock(trial, trials[0])]
    if len(again) > 1:
        cells["mean and sd of the stock"] = f"{mean(again):.4f}, {stdev(again):.4f}"
    if any(trial.answer.cost is not None for trial in trials):
        spent = dollars(history)
        cells["LLM dollars"] = "unknown" if spent is None else f"{spent:.2f}"
    table = Table(title=escape(name), title_justify="left")
    for column in cells:
        table.add_column(column, justify="right")
    table.add_row(*cells.values())
    return table


def _is_stock(trial: Trial, stock: Trial) -> bool:
    return trial.candidate is not None and stock.candidate is not None and trial.candidate.source == stock.candidate.source


def _standing(winner: Entry | None, left: str) -> str:
    """A confirmation has no winner."""
    won = "" if winner is None else f"winner {winner.score:.4f} (trial {winner.number}) | "
    return f"{won}left: {left}"
