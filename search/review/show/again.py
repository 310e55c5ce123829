"""Says in sentences what running the kept programs again has shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.page.numbers import plural
from search.review.again.effects import FEWEST_BLOCKS, Again, Contrast, Held
from search.review.show.numbers import Numbers

CAUTIONS = (
    "In these runs, too, each program prints its own score, on the text that chose the keeps. A program that prints a "
    "number that it has not earned looks like one that holds.",
    "The programs set their own training seeds. If one sets the same seed each time, its gain may come from that seed.",
)


def sentence(again: Again, numbers: Numbers) -> str:
    """Returns the verdict of the runs."""
    gains, marked = [effect.gain for effect in again.effects], f"({again.scores})"
    seen = any(gain.blocks or gain.failed for gain in gains)
    if again.start_failed and not seen:
        return f"Running again showed nothing: the start does not run here ({again.start_failed[-1]})."
    if again.left:
        return f"Not finished: {plural(len(again.runs), 'run')} done, {again.left} to go. Run the same command to resume."
    if len(gains) + len(again.missing) == 1:
        effect = again.effects[0]
        return f"The keep of trial {effect.trial} {_one(effect.gain, effect.logged, numbers)} {marked}."
    held = f"{_count(gains, len(again.missing))} when run again here {marked}, compared with the start"
    steps = [effect.step for effect in again.effects if effect.step is not None]
    return f"{held}; {_steps(steps)}." if len(steps) > 1 else f"{held}."


def others(again: Again) -> str:
    """Returns the verdicts on keeps that do not hold; empty if all do, or if a sentence has said it already."""
    if again.left or len(again.effects) + len(again.missing) == 1:
        return ""
    found = Counter(str(effect.gain.held) for effect in again.effects if effect.gain.held is not Held.HOLDS)
    found.update(why for _, why in again.missing)
    verdicts = ", ".join(f"{held} ({count})" for held, count in found.items())
    return f"Compared with the start, the other keeps got these verdicts: {verdicts}." if found else ""


def _count(contrasts: Sequence[Contrast], missing: int) -> str:
    holding = sum(one.held is Held.HOLDS for one in contrasts)
    return f"{holding} of {plural(len(contrasts) + missing, 'keep')} {'holds' if holding == 1 else 'hold'}"


def _steps(steps: Sequence[Contrast]) -> str:
    holding = sum(one.held is Held.HOLDS for one in steps)
    return f"{holding} of {len(steps)} compared with the keep before"


def _one(gain: Contrast, logged: float, numbers: Numbers) -> str:
    """Says it for a review that runs one keep."""
    gained = ""
    if gain.gain is not None:
        interval = f"95 % interval: {_range(gain, numbers)}"
        gained = f": {numbers.gain(gain.gain)} over the start ({interval}), {numbers.gain(logged)} in the log"
    words = {
        Held.HOLDS: "holds when run again here",
        Held.LOSS: "does not hold when run again here",
        Held.OPEN: "shows no gain when run again here",
        Held.FAILS: f"fails when run again here, in {gain.failed} of {plural(gain.failed + gain.blocks, 'block')}",
        Held.FEW: f"is not judged yet (it needs a metric in {FEWEST_BLOCKS} blocks, and has one in {gain.blocks})",
        Held.NO_NOISE: "gains the same in every block, which says nothing about luck",
    }
    return f"{words[gain.held]}{gained}"


def _range(gain: Contrast, numbers: Numbers) -> str:
    if gain.low is None or gain.high is None:
        return "without an interval"
    return f"{numbers.gain(gain.low)} to {numbers.gain(gain.high)}"


def contrast_told(contrast: Contrast, numbers: Numbers) -> str:
    """Writes a contrast for a cell of a table."""
    return "none" if contrast.gain is None else f"{numbers.gain(contrast.gain)} ({_range(contrast, numbers)})"
