"""The journal: one study's append-only ledger, JSON lines on local disk. What is not in it did not happen.

Kinds of line: `study` (the first: what the study is), `resumed` (a later start, with its budget), `started`, `finished` and
`judged` (one trial each), `interrupted` (a trial that was cut off, and will run again), `published` (a trial is in MLflow),
`ended` (why a start stopped).
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from search.config.files import unwritable, write_whole
from search.config.messages import UserError
from search.study.trial import Candidate, Cost, Origin, Outcome, Trial, Unusable, Verdict

FILE = "journal.jsonl"
ATTACHMENTS = "attachments"  # what a strategy keeps beside its trials

Line = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """All that the journal knows of one trial. Times are seconds since 1970."""

    trial: Trial
    training_seed: int
    started: float
    finished: float
    verdict: Verdict | None = None  # None where the harness died between finishing and judging

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def origin(self) -> Origin:
        return self.trial.origin

    @property
    def score(self) -> float | None:
        return self.trial.score

    @property
    def kept(self) -> bool | None:
        return None if self.verdict is None else self.verdict.kept


class Journal:
    """Open for writing by exactly one process. Use as a context manager."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        """Open or create the journal of a study's folder. A torn last line is dropped, and reported. Raises UserError where
        another process writes it, where a line is damaged, or where the folder cannot be written."""
        self.folder = folder
        try:
            (folder / "sources").mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("a+")
            self._take_lock()
            self._file = (folder / FILE).open("a+b", buffering=0)
        except OSError as error:
            raise unwritable(folder, error) from error
        self.lines = self._read(report)
        self.entries = self._entries()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self._lock.close()

    @property
    def header(self) -> Line | None:
        return self.lines[0] if self.lines else None

    def append(self, kind: str, *, durable: bool = False, **fields: Any) -> None:
        """Add a line. `durable`: it is on the disk when this returns. Raises UserError where it cannot be written; the
        journal is then as it was."""
        line = {"kind": kind, "time": round(time.time(), 3), **fields}
        size = os.fstat(self._file.fileno()).st_size
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            while data:
                data = data[self._file.write(data) :]
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(size)
            raise unwritable(self.folder / FILE, error) from error
        self.lines.append(line)

    def store(self, candidate: Candidate) -> None:
        """Keep a candidate's text under its hash. Raises UserError where it cannot be written."""
        path = self._source(candidate.source_hash)
        if path.exists():
            return
        try:
            write_whole(path, candidate.source.encode())
        except OSError as error:
            raise unwritable(path, error) from error

    def text(self, digest: str) -> str:
        """The kept text of that hash. Raises UserError where it is missing."""
        path = self._source(digest)
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: is missing; restore it, or use another experiment=") from error

    def start(self, number: int, origin: Origin, answer: Candidate | Unusable, training_seed: int) -> None:
        """Note that a trial begins. The text of a candidate is kept beside the journal."""
        fields = asdict(answer)
        if isinstance(answer, Candidate):
            self.store(answer)
            fields["source"] = answer.source_hash
        self.append("started", number=number, origin=origin, answer=fields, training_seed=training_seed)

    def finish(self, trial: Trial) -> None:
        """Record the trial that was started last."""
        began = self.lines[-1]
        self.append(
            "finished",
            durable=True,
            number=trial.number,
            outcome=trial.outcome.record(),
            duplicate_of=trial.duplicate_of,
        )
        self.entries.append(Entry(trial, began["training_seed"], began["time"], self.lines[-1]["time"]))

    def judge(self, verdict: Verdict) -> None:
        """Record what was made of the trial that was finished last."""
        entry = self.entries[-1]
        self.append("judged", number=entry.trial.number, verdict=asdict(verdict))
        self.entries[-1] = replace(entry, verdict=verdict)

    def _entries(self) -> list[Entry]:
        """The finished trials in their order. A trial that was started again counts once, as it finished."""
        started: dict[int, Line] = {}
        entries: list[Entry] = []
        for line in self.lines:
            if line["kind"] == "started":
                started[line["number"]] = line
            elif line["kind"] == "finished":
                began = started[line["number"]]
                trial = Trial(
                    number=line["number"],
                    origin=Origin(began["origin"]),
                    answer=self._answer(began["answer"]),
                    outcome=Outcome.from_record(line["outcome"]),
                    duplicate_of=line["duplicate_of"],
                )
                entries.append(Entry(trial, began["training_seed"], began["time"], line["time"]))
            elif line["kind"] == "judged":
                entries[-1] = replace(entries[-1], verdict=Verdict(**line["verdict"]))
        return entries

    def _answer(self, fields: Line) -> Candidate | Unusable:
        cost = Cost(**fields["cost"]) if fields["cost"] else None
        if "source" not in fields:
            return Unusable(**{**fields, "cost": cost})
        return Candidate(**{**fields, "cost": cost, "source": self.text(fields["source"])})

    def _source(self, digest: str) -> Path:
        return self.folder / "sources" / f"{digest[:16]}.py"

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            raise UserError(f"{self.folder}: this study is being run by {owner}; wait for it, or stop it first") from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {platform.node()}")
        self._lock.flush()

    def _read(self, report: Callable[[str], None]) -> list[Line]:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            report(f"{self.folder / FILE}: dropped a torn last line of {len(data) - whole} bytes; its trial runs again")
            self._file.truncate(whole)
        lines = []
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                lines.append(json.loads(line))
            except ValueError as error:
                path = self.folder / FILE
                raise UserError(f"{path}: line {number} is damaged; restore it or use another experiment=") from error
        return lines
