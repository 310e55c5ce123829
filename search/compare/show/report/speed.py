"""How fast the machine was, what that did to scores, and how fast the winners' programs are."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.analyse.machine import CANNOT_BE_TOLD
from search.compare.analyse.results import FRESH_SEEDS, Analysis, Speed, SpeedEffect, StockSpeed, StudySpeed, TokensSeen
from search.compare.show.numbers import plural, times
from search.compare.show.pictures.album import Album
from search.compare.show.report.blocks import Block, Bullets, Heading, Image, Paragraph, table
from search.compare.show.report.cells import UNKNOWN, Cells


def machine(analysis: Analysis, album: Album) -> Iterator[Block]:
    """Nothing where budgets are tokens, for speed is no part of a score there."""
    speed, cells = analysis.speed, Cells(analysis)
    if speed is None:
        return
    yield Heading(3, "The machine's speed")
    yield Paragraph(
        "A trial has a budget of seconds, so that a slower machine, or a busy one, trains on fewer tokens and scores worse. "
        "The stock's runs are one program: where one of them saw fewer tokens, the machine was slower. What follows is for "
        "information; no score and no claim is corrected by it."
    )
    yield Bullets(tuple(_slope(seen, cells) for seen in speed.tokens) or (CANNOT_BE_TOLD,))
    yield from (Image(picture) for picture in album.speed)
    rows = list(_rows(speed, cells))
    if rows:
        yield Paragraph(
            "The stock's tokens per second against the control's mean (in brackets the slowest and the fastest run), and by "
            "how much its score is worse for that (positive) or better (negative), as the slope has it. A study that ran "
            "faster than the control claims that much more, without merit; confirming it takes that away, as luck and the "
            "stock's shift. It is called extrapolated where none of the training runs behind the slope differed as much."
        )
        yield table(("study", "runs of the stock", "machine's speed", "worth in the score"), rows)


def of_shift(speed: Speed, study: str, cells: Cells) -> str:
    """How much of a study's stock's shift the machine's speed explains."""
    return _effect(_of(speed, study).of_shift, cells)


def winner(speed: Speed, study: str, absent: str) -> str:
    """A winner's tokens per second, in multiples of the stock's; or `absent`."""
    found = _of(speed, study).winner
    if found is None:
        return absent
    if found.source == "definition":
        return "1 by definition"
    if found.low is None or found.high is None:
        return f"{times(found.value)} (in one repeat)"
    return f"{times(found.value)} ({found.low:.3f} to {found.high:.3f})"


def _of(speed: Speed, study: str) -> StudySpeed:
    return next(found for found in speed.studies if found.study == study)


def _slope(seen: TokensSeen, cells: Cells) -> str:
    fresh = seen.repeats == FRESH_SEEDS
    which = "Under fresh seeds (the control)" if fresh else "With the same seed (the stock and its anchors)"
    explained = (
        f"speed explains {100 * seen.r_squared:.0f} % of the variance" if seen.shown else "not shown, it may be nothing"
    )
    return (
        f"{which}, a run that saw 1 % fewer tokens scored {cells.part(seen.slope)} worse: {explained}; the standard "
        f"deviation left is {cells.score(seen.sd_left)}. Measured on {plural(seen.trials, 'run')}, with {seen.least:.3f} to "
        f"{times(seen.most)} their mean number of tokens."
    )


def _rows(speed: Speed, cells: Cells) -> Iterator[tuple[str, ...]]:
    for study in speed.studies:
        if study.stock is not None:
            yield _row(cells.study(study.study), study.stock, cells)
    if speed.confirmation is not None:
        yield _row("the confirmation", speed.confirmation, cells)


def _row(name: str, stock: StockSpeed, cells: Cells) -> tuple[str, ...]:
    several = f" ({stock.slowest:.3f} to {stock.fastest:.3f})" if stock.runs > 1 else ""
    return name, str(stock.runs), times(stock.mean) + several, _effect(stock.effect, cells)


def _effect(effect: SpeedEffect | None, cells: Cells) -> str:
    return cells.part(None if effect is None else effect.estimate, UNKNOWN) + (
        ", extrapolated" if effect is not None and effect.extrapolated else ""
    )
