"""Whether a study has anything left to do, by its journal alone."""

from __future__ import annotations

from search.config.schema import StudyConfig
from search.study.budget import Budget
from search.study.journal import Journal
from search.study.study import DONE, EXHAUSTED


def complete(journal: Journal, limits: StudyConfig) -> str | None:
    """Why a study is complete; None where it is not."""
    if not journal.entries or journal.entries[-1].verdict is None:
        return None
    ends = [line for line in journal.lines if line["kind"] in ("started", "ended")]
    reason = str(ends[-1].get("reason", ""))
    if reason.startswith((DONE, EXHAUSTED)):
        return reason
    return Budget(limits).spent([entry.trial for entry in journal.entries])


class Complete:
    """Stands in for a study that is complete: there is nothing to ask for."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def run(self) -> str:
        """Returns why the study has ended."""
        return self.reason
