"""Publishes one trial to MLflow, as a run inside its study's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.messages import in_short, printable
from search.study import source
from search.study.journal import ATTACHMENTS, Entry
from search.tracking.files import log_files
from search.tracking.metrics import outcome_metrics, outcome_tags
from search.tracking.values import log_values
from search.tracking.words import NOTE, trial_description

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME_WIDTH = 35  # letters of a note: of a run's name MLflow's pages show 40


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial. `row`: as `trial_row.row` writes it. `constants`: of its program. `stock`, `parent`: the texts
    it is compared with. `folder`: its study's. `strategy`: with its variant."""

    entry: Entry
    row: Mapping[str, Any]
    constants: Mapping[str, Any]
    stock: str
    parent: str | None
    folder: Path
    strategy: str

    @property
    def name(self) -> str:
        return printable(f"{self.entry.number:03d} {in_short(self.entry.trial.answer.note, NAME_WIDTH)}".strip())


def fill(client: MlflowClient, run: str, record: TrialRecord) -> list[str]:
    """Put all of a trial into its run, but for its end. Returns the names of values that MLflow refuses. Raises what
    `outages` names."""
    entry = record.entry
    tags = {name: value for name, value in _tags(record).items() if value}
    refused = log_values(client, run, record.constants, outcome_metrics(entry), tags)
    conversation = record.folder / ATTACHMENTS / f"{entry.number:04d}"
    log_files(client, run, _texts(record), record.folder, {"conversation": conversation})
    return refused


def _tags(record: TrialRecord) -> dict[str, str]:
    entry, row = record.entry, record.row
    trial, outcome, verdict = entry.trial, entry.trial.outcome, entry.verdict
    unknown = {"llm_usd": "unknown"} if trial.answer.cost is not None and trial.answer.cost.usd is None else {}
    return {
        "trial.strategy": record.strategy,
        "status": trial.status,
        "origin": trial.origin,
        "note": trial.answer.note,
        "reason": outcome.reason,
        "audited": str(outcome.audited).lower(),
        "kind_of_change": str(row["kind"]),
        "constants_changed": ", ".join(f"{name}={value}" for name, value in (row["changed"] or {}).items()),
        "lines": f"+{row['lines_added']} -{row['lines_removed']}" if row["kind"] else "",
        "flags": ", ".join(row["flags"] or []),
        "doubts": ", ".join(row["doubts"]),
        "parent_trial": "" if row["parent"] is None else str(row["parent"]),
        "training_seed": str(entry.training_seed),
        "device": outcome.device,
        "kept": str(verdict.kept).lower(),
        "verdict": verdict.reason,
        NOTE: trial_description(entry),
        **outcome_tags(outcome),
        **trial.answer.facts,
        **unknown,
    }


def _texts(record: TrialRecord) -> dict[str, str]:
    """Its program, what that changes, and its log."""
    candidate, texts = record.entry.trial.candidate, {}
    if candidate is not None:
        texts["train.py"] = candidate.source
        # The UI previews .txt, and shows nothing for .diff.
        from_stock = source.diff(record.stock, candidate.source, "stock/train.py", "trial/train.py")
        texts["change_from_stock.diff.txt"] = from_stock or "no change\n"
        if record.parent is not None and candidate.parent != 0:
            change = source.diff(record.parent, candidate.source, f"trial {candidate.parent}/train.py", "trial/train.py")
            texts["change_from_parent.diff.txt"] = change or "no change\n"
    log = record.folder / "logs" / f"{record.entry.number:04d}.train.txt"
    if log.is_file():
        texts["log.txt"] = log.read_text(encoding="utf-8", errors="replace")
    return texts
