"""A file beside a study's journal that records what was published: the table's rows, and the MLflow run of each trial.
It is only a cache: rows that are missing, or that another version made, are computed again, and MLflow is asked for
runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from search.study.code import code_hash, code_of
from search.study.journal import Entry
from search.tracking import trial_row

FILE = "published.jsonl"

Made = dict[str, Any]  # a trial's `row`, and all of its program's `constants`


class Ledger:
    """The rows of one study, and which of its trials are in the run `study` of MLflow."""

    def __init__(self, folder: Path, study: str) -> None:
        self.path = folder / FILE
        self.study = study
        self._version = code_hash(code_of(f"{trial_row.__name__}.row"))
        self._made: dict[tuple[int, float], Made] = {}  # by number and moment of finishing
        self._published: set[tuple[int, float]] = set()
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        for line in text.splitlines():
            self._take(line)
        self._torn = bool(text) and not text.endswith("\n")

    def made(self, entry: Entry) -> Made | None:
        """A trial's row and constants, where they are known."""
        return self._made.get(_key(entry))

    def keep(self, entry: Entry, made: Made) -> None:
        """Remember them, until this process ends."""
        self._made[_key(entry)] = made

    def is_published(self, entry: Entry) -> bool:
        return _key(entry) in self._published

    def add(self, entry: Entry) -> None:
        """Note that a trial is published, for later starts too. Raises OSError."""
        line = {"study": self.study, "version": self._version, **self._made[_key(entry)]}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + json.dumps(line) + "\n")
        self._torn = False
        self._published.add(_key(entry))

    def _take(self, text: str) -> None:
        try:
            line: dict[str, Any] = json.loads(text)
            key = line["row"]["number"], line["row"]["finished"]
            if line["version"] == self._version:
                self._made[key] = {"row": line["row"], "constants": line["constants"]}
            if line["study"] == self.study:
                self._published.add(key)
        except (ValueError, KeyError, TypeError):
            return  # torn, or another version's


def _key(entry: Entry) -> tuple[int, float]:
    return entry.number, entry.finished
