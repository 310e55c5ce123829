"""The studies of a multirun in one table, once all have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from search.study.journal import Entry
from search.study.trial import Origin
from search.study.winner import winner_of

Row = Mapping[str, Any]


def row_of(study: str, entries: Sequence[Entry]) -> Row:
    """What the table says of a study, as plain values."""
    trials = [entry.trial for entry in entries if entry.trial.origin is not Origin.ANCHOR]
    stock = next((trial.val_bpb for trial in trials if trial.number == 0), None)
    winner = winner_of(entries)
    return {
        "study": study,
        "trials": len(trials),
        "completed": sum(trial.val_bpb is not None for trial in trials),
        "winner": None if winner is None else winner.number,
        "val_bpb": None if winner is None else winner.score,
        "gain": None if winner is None or winner.score is None or stock is None else stock - winner.score,
    }


def table(rows: Sequence[Row]) -> Table:
    """The best winner last, where a reader's eye is. Gains are over the study's own stock, and unconfirmed."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("study", "trials", "completed", "winner", "val_bpb", "gain"):
        shown.add_column(name, justify="left" if name == "study" else "right")
    for row in sorted(rows, key=lambda row: row["gain"] if row["gain"] is not None else float("-inf")):
        numbers = (
            "" if row["val_bpb"] is None else f"{row['val_bpb']:.4f}",
            "" if row["gain"] is None else f"{row['gain']:+.4f}",
        )
        winner = "" if row["winner"] is None else f"trial {row['winner']}"
        shown.add_row(row["study"], str(row["trials"]), str(row["completed"]), winner, *numbers)
    return shown
