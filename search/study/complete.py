"""Tells from the journal alone whether a study has anything left to do."""

from __future__ import annotations

from search.config.schema import StudyConfig
from search.study.budget import Budget, Used
from search.study.journal import Journal
from search.study.proposals import DONE, EXHAUSTED


def complete(journal: Journal, limits: StudyConfig) -> str | None:
    """Why a study is complete; None if it is not."""
    if not journal.entries or journal.schedule.pending:
        return None
    ends = [line for line in journal.lines if line["kind"] in ("asked", "ended")]
    reason = str(ends[-1].get("reason", ""))
    if reason.startswith((DONE, EXHAUSTED)):
        return reason
    return Budget(limits).spent(Used.by(entry.trial for entry in journal.entries))
