"""What a study shows while it runs: bars on a terminal, plain lines elsewhere, one table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import mean, stdev

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn
from rich.table import Column

from search.config.messages import in_short, many, printable
from search.config.secrets import masked
from search.study.budget import dollars, train_hours
from search.study.journal import Entry
from search.study.request import Progress as TrialProgress
from search.study.trial import Origin, Trial, one_line
from search.study.winner import winner_of

NARROW, SHORT_BAR, LONG_BAR = 100, 8, 30  # characters: below that width of a terminal its bars are short
PHASES = {  # what a trial does besides training and waiting
    "start": "starting",
    "import": "importing its libraries",
    "build": "building the model",
    "compile": "compiling",
    "score": "being scored",
    "audit": "being audited",
}
LINE_WIDTH = 100  # characters of a trial's note
LINE_SECONDS = 30.0  # between two plain lines about one running trial

Foresee = Callable[[Sequence[Entry]], str | None]


class PlainDisplay:
    """A line per trial, and now and then one about each that runs. For logs and pipes."""

    def __init__(self, console: Console, foresee: Foresee = lambda entries: None, entries: Sequence[Entry] = ()) -> None:
        """`entries`, `foresee`: see `make_display`."""
        self.console = console
        self.foresee = foresee
        self.entries = list(entries)
        self._spoke: dict[int, tuple[str, float]] = {}  # of each running trial, the phase and time of the last line about it

    def say(self, text: str) -> None:
        self.console.print(escape(printable(masked(text))), soft_wrap=True, highlight=False)

    def asking(self, number: int, spent: str) -> None:
        """The strategy is asked for a trial, which an LLM may take minutes to answer. `spent`: what its replies have cost so
        far, in words; empty if no LLM is asked."""
        if spent:
            self.say(f"{_label(number)}: {_asking(spent)}")

    def started(self, number: int, origin: Origin, note: str) -> None:
        self._spoke.pop(number, None)
        self.say(f"{_label(number)}: {in_short(one_line(note), LINE_WIDTH)}")

    def progress(self, number: int, progress: TrialProgress) -> None:
        """May be called from any thread."""
        phase, spoke = self._spoke.get(number, ("", 0.0))
        repeated = progress.phase == phase and progress.phase != "waiting"
        if not repeated or (phase == "train" and time.monotonic() - spoke >= LINE_SECONDS):
            self._spoke[number] = progress.phase, time.monotonic()
            self.say(f"{_label(number)}: {describe(progress)}")

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        self.say(f"{_label(entry.number)}: {result(entry)} | {self._standing(entry, winner, left)}")

    def _standing(self, entry: Entry, winner: Entry | None, left: str) -> str:
        """Where the study stands with this trial. A confirmation has no winner."""
        self.entries.append(entry)
        end = self.foresee(self.entries)
        won = "" if winner is None else f"winner {winner.score:.4f} (trial {winner.number})"
        return " | ".join(filter(None, ["" if end is None else end.rpartition(": ")[2], won, f"left: {left}"]))

    def close(self) -> None:
        """Nothing to take down."""


class BarDisplay(PlainDisplay):
    """Above, a line per finished trial; below, a bar for the study and one for each trial that runs or is asked for."""

    def __init__(
        self,
        console: Console,
        trials: int | None,
        foresee: Foresee = lambda entries: None,
        entries: Sequence[Entry] = (),
    ) -> None:
        super().__init__(console, foresee, entries)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=SHORT_BAR if console.width < NARROW else LONG_BAR),
            TaskProgressColumn(),
            # What does not fit is cut here, and not in the columns before it.
            TextColumn("{task.fields[text]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=console,
            expand=True,
        )
        done = sum(entry.trial.origin is not Origin.ANCHOR for entry in entries)
        self._study = self._bars.add_task("study", total=trials, completed=done, text="")
        self._trials: dict[int, TaskID] = {}
        self._free: list[TaskID] = []  # bars of trials that have ended
        self._bars.start()

    def asking(self, number: int, spent: str) -> None:
        self._show(number, _label(number), escape(_asking(spent)))

    def started(self, number: int, origin: Origin, note: str) -> None:
        super().started(number, origin, note)
        self._show(number, _label(number), "")

    def progress(self, number: int, progress: TrialProgress) -> None:
        self._bars.update(self._trials[number], completed=progress.share, text=escape(describe(progress)))

    def finished(self, entry: Entry, winner: Entry | None, left: str) -> None:
        self._free.append(self._trials.pop(entry.number))
        self.say(f"{_label(entry.number)}: {result(entry)}")
        if entry.trial.origin is not Origin.ANCHOR:
            self._bars.advance(self._study)
        standing = self._standing(entry, winner, left).replace("ends about ", "ends ~")  # 80 columns are enough then
        self._bars.update(self._study, text=escape(standing))

    def close(self) -> None:
        self._bars.stop()

    def _show(self, number: int, description: str, text: str) -> None:
        """A trial's bar, from its beginning."""
        if number not in self._trials:
            self._trials[number] = self._free.pop() if self._free else self._bars.add_task("", total=1.0, text="")
        self._bars.reset(self._trials[number], description=description, text=text)


def make_display(
    console: Console, trials: int | None, entries: Sequence[Entry] = (), foresee: Foresee = lambda entries: None
) -> PlainDisplay:
    """Bars on a terminal, lines elsewhere. `entries`: the trials that are already finished, of `trials`. `foresee`:
    from the finished trials to a line that says, after a colon, when all will have ended; or None."""
    if console.is_terminal:
        return BarDisplay(console, trials, foresee, entries)
    return PlainDisplay(console, foresee, entries)


def _label(number: int) -> str:
    return f"trial {number}"


def _asking(spent: str) -> str:
    return f"asking the strategy; its LLM has taken {spent}" if spent else "asking the strategy"


def describe(progress: TrialProgress) -> str:
    """The running trial in a few words."""
    if progress.phase == "waiting":
        return "waiting for a free device" + (f"; held by {progress.holders}" if progress.holders else "")
    if progress.phase != "train":
        return PHASES.get(progress.phase, progress.phase)
    speed = progress.tokens / progress.train_seconds if progress.train_seconds else 0.0
    loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
    left = progress.train_seconds * (1 / progress.share - 1) if progress.share else None
    done = "" if left is None else f" {progress.share:.0%}, {left // 60:.0f}:{left % 60:02.0f} left"
    return f"training{done}{loss}" + (f", {speed:,.0f} tokens/s" if speed else "")


def result(entry: Entry) -> str:
    """A finished trial in a few words."""
    outcome, verdict = entry.trial.outcome, entry.verdict
    if outcome.val_bpb is None:
        return f"{outcome.status}: {one_line(outcome.reason)}"
    judged = f", {'kept' if verdict.kept else 'not kept'}: {one_line(verdict.reason)}" if verdict.reason else ""
    return f"val_bpb {outcome.val_bpb:.4f}{judged}"


def summary(name: str, entries: Sequence[Entry]) -> str:
    """The study in a few short lines."""
    history = sorted((entry.trial for entry in entries), key=lambda trial: trial.number)
    winner = winner_of(entries)
    trials = [trial for trial in history if trial.origin is not Origin.ANCHOR]
    completed = sum(trial.val_bpb is not None for trial in trials)
    spent = [f"{train_hours(history):.3f} training hours"]
    if any(trial.answer.cost is not None for trial in trials):
        usd = dollars(history)
        spent.append("LLM dollars unknown" if usd is None else f"LLM ${usd:.2f}")
    lines = [f"{name}: {many(len(trials), 'trial')}, {completed} completed; {', '.join(spent)}"]
    stock = trials[0].val_bpb if trials else None
    if stock is not None and winner is not None and winner.score is not None:
        gain = f"{stock - winner.score:+.4f} over the stock's {stock:.4f}"
        lines.append(f"winner: trial {winner.number}, val_bpb {winner.score:.4f}, {gain} (unconfirmed)")
    again = [trial.val_bpb for trial in trials if trial.val_bpb is not None and _is_stock(trial, trials[0])]
    if len(again) > 1:
        lines.append(f"the stock {many(len(again), 'time')}: mean {mean(again):.4f}, standard deviation {stdev(again):.4f}")
    return "\n".join(lines)


def _is_stock(trial: Trial, stock: Trial) -> bool:
    return trial.candidate is not None and stock.candidate is not None and trial.candidate.source == stock.candidate.source
