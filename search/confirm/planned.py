"""Keeps a confirmation's plans in its journal, and in a file beside it for the comparison."""

from __future__ import annotations

import json

from search.config.commands import ConfirmConfig
from search.config.files import unwritable, write_whole
from search.config.messages import UserError
from search.config.schema import BudgetConfig
from search.confirm.plan import REPORT, STOCK, Arms, Plan
from search.confirm.settings import Settings, first_settings, later_settings
from search.study.journal import ATTACHMENTS, Journal
from search.study.reading import Line
from search.study.trial import Candidate

PLANNED = "planned"  # the kind of a journal's line that holds a plan
FILE = "plans.json"  # the report's plans, oldest first, each with its time


class Planned:
    """The plans of a confirmation in its journal. The oldest comes first, and none is ever changed."""

    def __init__(self, journal: Journal, stock: str) -> None:
        """Reads the plans. Raises UserError if another version wrote them."""
        self.journal = journal
        self.arms = Arms()
        self.arms.add(STOCK, stock)
        self.plans: list[Plan] = []
        for line in self._lines():
            for name, digest in line["sources"].items():
                self.arms.add(name, journal.text(digest))
            try:
                self.plans.append(Plan.from_record(line["plan"]))
            except KeyError as error:
                raise UserError(
                    f"{journal.folder}: was planned by another version of fairtrial (it lacks {error}).\n"
                    "Move that folder away, or use that version"
                ) from error

    def of(self, stage: str) -> list[Plan]:
        """Returns the plans of one stage."""
        return [plan for plan in self.plans if plan.stage == stage]

    def settings(self, asked: ConfirmConfig, budget: BudgetConfig) -> Settings:
        """Returns what is asked for, with what was fixed before. `budget`: of a training run. Raises UserError."""
        return later_settings(asked, self.plans[-1].settings) if self.plans else first_settings(asked, budget)

    def add(self, plan: Plan) -> bool:
        """Writes a plan down unless it equals the last one of its stage, and keeps what the comparison needs. Returns
        whether it is new."""
        new = [plan] != self.of(plan.stage)[-1:]
        if new:
            sources = {}
            for name in plan.arms:
                candidate = Candidate(self.arms.texts[name])
                self.journal.store(candidate)
                sources[name] = candidate.source_hash
            self.journal.append(PLANNED, durable=True, plan=plan.record(), sources=sources)
            self.plans.append(plan)
        self._attach()
        return new

    def _attach(self) -> None:
        records = [{"time": line["time"], **line["plan"]} for line in self._lines() if line["plan"]["stage"] == REPORT]
        path = self.journal.folder / ATTACHMENTS / FILE
        try:
            path.parent.mkdir(exist_ok=True)
            write_whole(path, json.dumps(records, indent=1).encode())
        except OSError as error:
            raise unwritable(path, error) from error

    def _lines(self) -> list[Line]:
        return [line for line in self.journal.lines if line["kind"] == PLANNED]
