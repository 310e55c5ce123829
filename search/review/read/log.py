"""One night as its log tells it: trials in order, with scores where lower is better."""

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

MOST_SCORES = 5_000  # what luck does is simulated for each of them, in some seconds and 100 MB


@dataclass(frozen=True)
class Logged:
    """One trial. `number`: from 1, in order. `score`: as it was printed, None where it has none. `line`: in the file."""

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
    """`name`: of the file. `said`: how it was read, in sentences."""

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
        """The score with its sign such that lower is better."""
        assert trial.score is not None
        return trial.score if self.lower else -trial.score


def read_log(path: Path, config: ReviewConfig) -> Log:
    """Raises UserError where the file cannot be read, where it leaves a choice, and where it holds too little to judge."""
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
            raise UserError(f"segment={config.segment}: the log has {plural(len(segments), 'segment')} with trials, from 1")
        return segments[config.segment - 1], [f"Segment {config.segment} of {len(segments)}."]
    if len(segments) > 1:
        found = "; ".join(f"{at}: {one.metric}, {plural(len(one.records), 'trial')}" for at, one in enumerate(segments, 1))
        raise UserError(f"segment: the log changes its metric or starts again, and has {found}.\nChoose one with segment=")
    return segments[0], []


def _in_order(records: Sequence[Record], columns: Columns, asked: str | None) -> tuple[Sequence[Record], list[str]]:
    """The trials as they were run. Where times are there and disagree with the lines, the user must say which holds."""
    times = [_time(record.cells[columns.time]) for record in records] if columns.time is not None else []
    known = [time for time in times if time is not None]
    if asked == "time" and (not known or len(known) < len(records)):
        raise UserError("order=time: not every trial of this log has a time; leave it out")
    differ = len(known) == len(records) and known != sorted(known)
    if differ and asked is None:
        raise UserError(
            f"order: by {columns.time} the trials ran in another order than their lines have.\nGive order=file or time"
        )
    if asked == "time":
        return [record for _, record in sorted(zip(known, records, strict=True), key=lambda pair: pair[0])], [
            "In order of time."
        ]
    return records, ["In the order of the file, not of time."] if differ else []


def _time(cell: str) -> float | None:
    """Seconds, or whatever else of: only their order matters."""
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
            "What was kept is not read: a trial counts as kept where it beats all before it."
        ]
    own = {Became.KEPT: config.keep_words, Became.DISCARDED: config.discard_words, Became.FAILED: config.failed_words}
    where = columns.status or columns.description
    if where is None:
        raise UserError("status: no column says which trials were kept.\nGive keep=records: each that beats all before it")
    said = [] if columns.status else [f"There is no column of statuses: the first word of {where} tells what was kept."]
    return became_of([record.cells[where] for record in records], meanings(own), where), said


def _records(records: Sequence[Record], columns: Columns, zeros: bool) -> list[Became]:
    """`zeros`: whether 0 is a score where lower is better."""
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
        f"A score of 0 is taken as none, in {plural(len(zeros), 'trial')} (zeros= says otherwise)."
    ] if zeros else []


def _score(record: Record, became: Became, columns: Columns, config: ReviewConfig) -> float | None:
    """Failed trials have none, whatever stands there. Raises UserError for a kept trial without one."""
    cell = record.cells[columns.metric]
    value = number(cell)
    if became is Became.FAILED:
        return None
    if value == 0 and columns.lower and config.zeros != "scores":
        if became is Became.KEPT and config.zeros is None:
            raise UserError(
                f"line {record.line}: a kept trial has the score 0. Is that one?\nGive zeros=scores, or zeros=failed"
            )
        return None
    if value is None and became is Became.KEPT:
        raise UserError(f"line {record.line}: a kept trial has {cell!r} for a score; correct the line, or its status")
    if value is None and cell[:1].isdigit():
        raise UserError(
            f"line {record.line}: the score {cell!r} is no plain number; write it as one, or name another metric"
        )
    return value  # None for a word, such as `crash`, where a score would be


def _check(path: Path, log: Log, columns: Columns) -> None:
    kept = [log.cost(trial) for trial in log.trials if trial.kept]
    if not kept:
        raise UserError(
            f"log={path}: no trial was kept with a score ({plural(len(log.trials), 'trial')}); there is no gain to judge"
        )
    if len(log.scored) > MOST_SCORES:
        raise UserError(f"log={path}: has {len(log.scored):,} scores, more than {MOST_SCORES:,}; give one night's")
    if len(log.scored) < 2:
        raise UserError(f"log={path}: has one score; a gain needs two")
    better = sum(later < before for before, later in itertools.pairwise(kept))
    worse = sum(later > before for before, later in itertools.pairwise(kept))
    if columns.guessed and worse > better:
        word = "lower" if columns.lower else "higher"
        raise UserError(f"direction: guessed {word}, but most kept trials go the other way.\nGive direction=lower or higher")
