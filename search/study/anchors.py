"""Decides when the stock is trained again, and what it means if that fails. Depends only on the order of asking and
telling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from search.study.schedule import Asked
from search.study.trial import Origin, Status, Trial

CRASHES_BEFORE_ANCHOR = 3  # in a row, that make the study try the stock again


def anchor_due(history: Sequence[Trial], pending: Mapping[int, Asked], every: int | None) -> bool:
    """An anchor is due after every so many trials, after several crashes in a row (which may be the machine's fault),
    and again after an anchor that failed. Never while one runs."""
    if every is None or any(asked.origin is Origin.ANCHOR for asked in pending.values()):
        return False
    newest = next((trial for trial in reversed(history) if trial.origin is Origin.ANCHOR), None)
    if newest is not None and newest.status is not Status.COMPLETED:
        return True
    last = history[-CRASHES_BEFORE_ANCHOR:]
    crashing = len(last) == CRASHES_BEFORE_ANCHOR and all(trial.status is Status.CRASHED for trial in last)
    asked = len(history) + len(pending)
    since = asked if newest is None else asked - 1 - newest.number
    return since >= every or crashing


def stock_is_broken(history: Sequence[Trial]) -> bool:
    """Whether the stock failed as the first trial, or twice in a row as an anchor. A single stall must not end a
    study."""
    newest = history[-1]
    if newest.origin is Origin.STRATEGY:
        return False
    last = [trial for trial in history if trial.origin is newest.origin][-2:]
    return len(last) == (2 if newest.origin is Origin.ANCHOR else 1) and all(
        trial.status is not Status.COMPLETED for trial in last
    )


def why_broken(trial: Trial, folder: Path, logs: Path) -> str:
    """The message for the user. `folder`: the study's. `logs`: the trial's, without a suffix."""
    what = f"ended {trial.status}: {trial.outcome.reason} (log: {logs}.train.txt)"
    if trial.origin is Origin.STOCK:
        return f"the stock itself {what}.\nFix it, and remove {folder} or use another experiment="
    return (
        f"the stock, which trained well before, failed twice in a row; it {what}.\n"
        "The machine has changed: fix it, and run the same command again"
    )
