"""Runs a study to its end on this terminal, with progress and Ctrl-C, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from search.config.messages import UserError, many
from search.console.interrupt import Interrupts
from search.console.progress import Foresee, PlainDisplay, make_display
from search.console.side_by_side import in_worker
from search.console.study_report import write_report
from search.executor.drive import Display
from search.study.journal import Entry, Journal
from search.study.study import STOPPED
from search.tracking.links import directions, studies_page
from search.tracking.publisher import MlflowPublisher


def conduct(
    journal: Journal,
    publisher: MlflowPublisher,
    console: Console,
    trials: int | None,
    run: Callable[[Display, Callable[[], bool]], str],
    summarise: Callable[[Sequence[Entry]], RenderableType],
    foresee: Foresee = lambda entries: None,
) -> bool:
    """Run a study to its end. Returns whether it was stopped on request.

    `run`: from a display, and a function that says whether a stop is requested, to why the study ended. `foresee`: from the
    finished trials to a line that says when all will be over, or None.
    """
    display = make_display(console, trials, journal.entries, foresee)
    publisher.report = display.say
    if (end := foresee(journal.entries)) is not None:
        display.say(end)
    done_before = len(journal.entries)
    with Interrupts(display.say) as interrupts:
        try:
            reason = run(display, lambda: interrupts.requested)
            interrupts.over()
            journal.append("ended", reason=reason)
            if journal.header is not None and journal.header["role"] == "study":
                write_report(journal)
        except BaseException as error:
            interrupts.over()
            publisher.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        finally:
            display.close()
        publisher.close("KILLED" if interrupts.requested else "FINISHED")
    PlainDisplay(console).say(ending(reason, len(journal.entries) - done_before))
    if not in_worker():  # of several side by side, the lines are enough
        console.print(summarise(journal.entries))
    return interrupts.requested


def finish(stopped: bool, publisher: MlflowPublisher, uri: str, folder: Path) -> None:
    """End a start: raises KeyboardInterrupt if it was stopped, UserError if MLflow is behind."""
    if stopped:
        raise KeyboardInterrupt
    if publisher.behind:
        raise UserError(
            f"tracking.uri={uri}: did not accept all of the study ({publisher.why}).\n"
            f"All trials are safe in {folder}; fix that, and run the same command again to publish them"
        )


def ending(reason: str, new: int) -> str:
    """How a start ended. `new`: trials of this start, anchors too."""
    if new or reason == STOPPED:
        return f"{reason}; {many(new, 'trial')} in this start, the stock and its repeats counted"
    return f"the study is complete: {reason}; nothing was trained"


def where(publisher: MlflowPublisher) -> list[str]:
    """Lines that say how to look at the study."""
    assert publisher.journal.header is not None
    name = publisher.journal.header["config"]["experiment"]
    return directions(publisher.uri, name, studies_page(publisher.experiment))


def say_where(display: PlainDisplay, publisher: MlflowPublisher) -> None:
    for line in where(publisher):
        display.say(line)
