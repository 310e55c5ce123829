"""Reads from a confirmation's journal the scores so far that may be believed, by arm and by block."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from search.confirm.plan import REPORT, SCREENING, STOCK
from search.study.journal import Entry
from search.study.trial import Trial


def screened(entries: Sequence[Entry]) -> dict[tuple[int, str], float]:
    """Returns the mean validation score of each screened arm, by search seed and arm. An arm that failed once cannot be
    chosen."""
    scores: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for trial in _of(entries, SCREENING):
        facts = trial.answer.facts
        scores[int(facts["search_seed"]), facts["arm"]].append(float("inf") if trial.score is None else trial.score)
    return {place: statistics.mean(values) for place, values in scores.items()}


def summary(entries: Sequence[Entry]) -> Table:
    """Returns a table with the mean of the reported runs of each arm, and its gain over the stock in the blocks that both
    finished. Only `search.compare` says what that shows."""
    arms, gains = _by_arm(entries), _gains(entries)
    title = "confirmation: mean val_bpb, the mean on unseen text, and the gain there over the stock beside it"
    table = Table(title=title, title_justify="left")
    for column in ("program", "runs", "val_bpb", "unseen", "gain"):
        table.add_column(column, justify="left" if column == "program" else "right")
    for arm, trials in arms.items():
        seen = statistics.mean(trial.outcome.val_bpb or 0.0 for trial in trials)
        gain = f"{statistics.mean(gains[arm]):+.4f}" if arm in gains else ""
        table.add_row(escape(arm), str(len(trials)), f"{seen:.4f}", f"{_unseen(trials):.4f}", gain)
    return table


def gains_by_program(entries: Sequence[Entry]) -> dict[str, list[float]]:
    """Returns the same gains by the hash of the program's text."""
    programs = {entry.trial.answer.facts["arm"]: entry.trial.candidate for entry in entries}
    return {program.source_hash: gains for arm, gains in _gains(entries).items() if (program := programs[arm]) is not None}


def _gains(entries: Sequence[Entry]) -> dict[str, list[float]]:
    """Returns the stock's mean minus the arm's score on unseen text, block by block (visit by visit)."""
    blocks: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        facts = entry.trial.answer.facts
        blocks[facts["search_seed"], facts["repeat"], facts["visit"]].append(entry)
    gains: defaultdict[str, list[float]] = defaultdict(list)
    for block in blocks.values():
        arms = _by_arm(block)
        for arm in arms.keys() - {STOCK} if STOCK in arms else ():
            gains[arm].append(_unseen(arms[STOCK]) - _unseen(arms[arm]))
    return gains


def _by_arm(entries: Sequence[Entry]) -> dict[str, list[Trial]]:
    """Returns the reported trials that have a score, by arm; the stock comes first."""
    found: dict[str, list[Trial]] = {STOCK: []}
    for trial in _of(entries, REPORT):
        if trial.score is not None:
            found.setdefault(trial.answer.facts["arm"], []).append(trial)
    return {arm: trials for arm, trials in found.items() if trials}


def _of(entries: Sequence[Entry], stage: str) -> Iterator[Trial]:
    return (entry.trial for entry in entries if entry.trial.answer.facts["stage"] == stage)


def _unseen(trials: Sequence[Trial]) -> float:
    return statistics.mean(trial.outcome.confirmation_bpb or 0.0 for trial in trials)
