"""Reads a log: its trials in order, with their scores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from search.config.commands import ReviewConfig
from search.config.messages import UserError
from search.page.numbers import plural
from search.review.read.columns import Columns, columns_of, number
from search.review.read.records import Record, Segment, read_segments
from search.review.read.words import Became, became_of, meanings

MOST_SCORES = 5_000  # luck is simulated for each of them, which takes some seconds and 100 MB


@dataclass(frozen=True)
class Logged:
    """One trial. `number`: from 1, in order. `score`: as it was printed, None if there is none. `line`: in the file."""

    number: int
    line: int
    commit: str
    description: str
    became: Became
    score: float | None

    @property
    def kept(self) -> bool:
        return self.became is Became.KEPT and self.score is not None


@dataclass(frozen=True)
class Log:
    """A log. `name`: of the file. `said`: how it was read, in sentences."""

    name: str
    metric: str
    unit: str
    lower: bool
    trials: tuple[Logged, ...]
    said: tuple[str, ...]

    @property
    def scored(self) -> tuple[Logged, ...]:
        return tuple(trial for trial in self.trials if trial.score is not None)

    def cost(self, trial: Logged) -> float:
        """Returns the score, with its sign changed if higher is better: a lower cost is always better."""
        assert trial.score is not None
        return trial.score if self.lower else -trial.score


def read_log(path: Path, config: ReviewConfig) -> Log:
    """Reads a log. Raises UserError if the file cannot be read, if it leaves a choice, or if it is too short to judge."""
    segment, which = _chosen(read_segments(path), config)
    columns = columns_of(segment, config.metric, config.direction)
    records, order = _in_order(segment.records, columns, config.order)
    became, judged = _became(records, columns, config)
    trials, zeros = _trials(records, became, columns, config)
    log = Log(
        path.name, columns.metric, segment.unit, columns.lower, trials, (*which, *columns.said, *order, *judged, *zeros)
    )
    _check(path, log, columns)
    return log


def _chosen(segments: Sequence[Segment], config: ReviewConfig) -> tuple[Segment, list[str]]:
    if config.segment is not None:
        if not 1 <= config.segment <= len(segments):
            raise UserError(f"segment={config.segment}: the log has {plural(len(segments), 'segment')}; count from 1")
        return segments[config.segment - 1], [f"Segment {config.segment} of {len(segments)}."]
    if len(segments) > 1:
        found = "; ".join(f"{at}: {one.metric}, {plural(len(one.records), 'trial')}" for at, one in enumerate(segments, 1))
        raise UserError(f"segment: the log changes its metric or starts again, and has {found}.\nChoose one with segment=")
    return segments[0], []


def _in_order(records: Sequence[Record], columns: Columns, asked: str | None) -> tuple[Sequence[Record], list[str]]:
    """Returns the trials in the order in which they ran. If times and lines disagree, the user must say which is right."""
    times = [_time(record.cells[columns.time]) for record in records] if columns.time is not None else []
    known = [time for time in times if time is not None]
    if asked == "time" and (not known or len(known) < len(records)):
        raise UserError("order=time: not every trial of this log has a time; leave order= out")
    differ = len(known) == len(records) and known != sorted(known)
    if differ and asked is None:
        raise UserError(
            f"order: by {columns.time} the trials ran in another order than their lines have.\nGive order=file or time"
        )
    if asked == "time":
        return [record for _, record in sorted(zip(known, records, strict=True), key=lambda pair: pair[0])], [
            "The trials are in order of time."
        ]
    return records, ["The trials are in the order of the file, not of time."] if differ else []


def _time(cell: str) -> float | None:
    """Reads a time as a number; the unit does not matter, since only the order does."""
    value = number(cell)
    if value is not None:
        return value
    try:
        return datetime.fromisoformat(cell).timestamp()
    except ValueError:
        return None


def _became(records: Sequence[Record], columns: Columns, config: ReviewConfig) -> tuple[list[Became], list[str]]:
    if config.keep == "records":
        return _records(records, columns, config.zeros == "scores"), [
            "The log's word on what was kept is not used: a trial counts as kept if it beats all before it."
        ]
    own = {Became.KEPT: config.keep_words, Became.DISCARDED: config.discard_words, Became.FAILED: config.failed_words}
    where = columns.status or columns.description
    if where is None:
        raise UserError("status: no column says which trials were kept.\nGive keep=records: each that beats all before it")
    said = [] if columns.status else [f"The log has no column for the status: the first word of {where} says what was kept."]
    return became_of([record.cells[where] for record in records], meanings(own), where), said


def _records(records: Sequence[Record], columns: Columns, zeros: bool) -> list[Became]:
    """Judges each trial by whether it beats all before it. `zeros`: whether 0 is a score if lower is better."""
    best, found = float("inf"), []
    for record in records:
        value = number(record.cells[columns.metric])
        missing = value is None or (value == 0 and columns.lower and not zeros)
        cost = None if value is None or missing else value if columns.lower else -value
        found.append(Became.FAILED if cost is None else Became.KEPT if cost < best else Became.DISCARDED)
        best = min(best, cost) if cost is not None else best
    return found


def _trials(
    records: Sequence[Record], became: Sequence[Became], columns: Columns, config: ReviewConfig
) -> tuple[tuple[Logged, ...], list[str]]:
    trials = [
        Logged(
            number=at,
            line=record.line,
            commit="" if columns.commit is None else record.cells[columns.commit],
            description="" if columns.description is None else record.cells[columns.description],
            became=what,
            score=_score(record, what, columns, config),
        )
        for at, (record, what) in enumerate(zip(records, became, strict=True), 1)
    ]
    zeros = [
        one
        for one, record in zip(trials, records, strict=True)
        if one.score is None and one.became is not Became.FAILED and number(record.cells[columns.metric]) == 0
    ]
    return tuple(trials), [
        f"A score of 0 counts as missing, in {plural(len(zeros), 'trial')} (zeros=scores counts it)."
    ] if zeros else []


def _score(record: Record, became: Became, columns: Columns, config: ReviewConfig) -> float | None:
    """Returns a trial's score. A failed trial has none, even if the log has a number. Raises UserError for a kept trial
    without one."""
    cell = record.cells[columns.metric]
    value = number(cell)
    if became is Became.FAILED:
        return None
    if value == 0 and columns.lower and config.zeros != "scores":
        if became is Became.KEPT and config.zeros is None:
            raise UserError(
                f"line {record.line}: a kept trial has the score 0. Is that a score?\nGive zeros=scores, or zeros=failed"
            )
        return None
    if value is None and became is Became.KEPT:
        raise UserError(f"line {record.line}: a kept trial has {cell!r} as its score; correct the score or the status")
    if value is None and cell[:1].isdigit():
        raise UserError(
            f"line {record.line}: the score {cell!r} is not a plain number; write it as one, or choose another metric="
        )
    return value  # None for a word, such as `crash`, where a score would be


def _check(path: Path, log: Log, columns: Columns) -> None:
    kept = [log.cost(trial) for trial in log.trials if trial.kept]
    if not kept:
        raise UserError(
            f"log={path}: none of its {plural(len(log.trials), 'trial')} was kept with a score; give a log with a gain"
        )
    if len(log.scored) > MOST_SCORES:
        raise UserError(f"log={path}: has {len(log.scored):,} scores, more than {MOST_SCORES:,}; give a shorter log")
    if len(log.scored) < 2:
        raise UserError(f"log={path}: has one score, but a gain needs two; give a longer log")
    better = sum(later < before for before, later in itertools.pairwise(kept))
    worse = sum(later > before for before, later in itertools.pairwise(kept))
    if columns.guessed and worse > better:
        word = "lower" if columns.lower else "higher"
        raise UserError(f"direction: guessed {word}, but most kept trials go the other way.\nGive direction=lower or higher")
