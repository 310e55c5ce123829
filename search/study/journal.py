"""The journal: the append-only record of one study, as JSON lines on local disk. A study knows only what is in it.

It is also the schedule: its lines stand in the order in which things happened, and resuming repeats that order. The
first line carries the version of the lines' form. Kinds of line: `study` (the first: what the study is), `resumed` (a
later start, with its budget), `accepted` (the study continues under other code), `asked` (a trial is asked for),
`rebased` and `repeated` (see `search.study.schedule`), `started` (an executor has it), `told` (a trial's outcome and
verdict), `interrupted` (a trial that was cut off, and will run again), `ended` (why a start of the study stopped).
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from search.config.files import sync, unwritable, write_whole
from search.config.messages import UserError
from search.study import fingerprint
from search.study.contract import NoiseFloor
from search.study.reading import VERSION, Line, entry_of, read_lines, read_schedule, read_text, source_path
from search.study.schedule import Asked, Rebased, Repeated, Started
from search.study.schedule import Entry as Entry
from search.study.trial import Candidate, Origin, Outcome, Unusable, Verdict

FILE = "journal.jsonl"
ATTACHMENTS = "attachments"  # what a strategy keeps beside its trials


class Journal:
    """Open for writing by exactly one process. Use as a context manager."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        """Open or create the journal of a study's folder. A torn last line is dropped, and reported. Raises UserError if
        another process writes it, where a line is damaged, or where the folder cannot be written."""
        self.folder = folder
        try:
            (folder / "sources").mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("a+")
            self._take_lock()
            self._file = (folder / FILE).open("a+b", buffering=0)
            sync(folder)  # the file's name, too, is to outlast a power failure
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            self.lines = self._read(report)
            self.schedule = read_schedule(folder / FILE, self.lines, self.text)
            self._recall()
        except UserError:
            self._close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    @property
    def header(self) -> Line | None:
        return self.lines[0] if self.lines else None

    @property
    def entries(self) -> list[Entry]:
        """The trials that are told, in that order."""
        return self.schedule.entries

    def append(self, kind: str, *, durable: bool = False, **fields: Any) -> None:
        """Add a line. `durable`: it is on the disk when this returns. Raises UserError if it cannot be written; the
        journal is then as it was."""
        version = {} if self.lines else {"version": VERSION}
        line = {"kind": kind, **version, "time": self._now(), **fields}
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
        """Keep a candidate's text under its hash. Raises UserError if it cannot be written."""
        path, data = source_path(self.folder, candidate.source_hash), candidate.source.encode()
        try:
            if not path.is_file() or path.read_bytes() != data:
                write_whole(path, data)
        except OSError as error:
            raise unwritable(path, error) from error

    def text(self, digest: str) -> str:
        """The kept text of that hash. Raises UserError if it is missing, or is not that text any more."""
        return read_text(self.folder, digest)

    def ask(
        self,
        number: int,
        origin: Origin,
        answer: Candidate | Unusable,
        training_seed: int,
        noise_floor: NoiseFloor | None = None,
        repeats: Sequence[int] = (),
    ) -> Asked:
        """Note that a trial is asked for. The text of a candidate is kept beside the journal. `repeats`: the trials that
        were proposed once more before."""
        line = self._answered("asked", number, answer, training_seed, noise_floor, origin=origin, repeats=list(repeats))
        asked = Asked(number, origin, answer, training_seed, line["time"], noise_floor, repeats=tuple(repeats))
        self.schedule.add(asked)
        return asked

    def rebase(
        self, number: int, answer: Candidate | Unusable, training_seed: int, noise_floor: NoiseFloor | None
    ) -> Rebased:
        """Note that a trial will train a new proposal."""
        self._answered("rebased", number, answer, training_seed, noise_floor)
        rebased = Rebased(number, answer, training_seed, noise_floor)
        self.schedule.add(rebased)
        return rebased

    def repeat(self, number: int, of: int, noise_floor: NoiseFloor | None) -> Repeated:
        """Note that a proposal repeats a trial that runs."""
        self.append("repeated", durable=True, number=number, of=of, noise_floor=_floor(noise_floor))
        repeated = Repeated(number, of, noise_floor)
        self.schedule.add(repeated)
        return repeated

    def start(self, number: int) -> Started:
        """Note that a trial is given to an executor."""
        self.append("started", number=number)
        started = Started(number, self.lines[-1]["time"])
        self.schedule.add(started)
        return started

    def tell(self, number: int, outcome: Outcome, verdict: Verdict) -> Entry:
        """Record how a trial ended, and its verdict."""
        self.append("told", durable=True, number=number, outcome=outcome.record(), verdict=asdict(verdict))
        entry = entry_of(self.schedule.pending[number], outcome, verdict, self.lines[-1]["time"])
        self.schedule.add(entry)
        return entry

    def _answered(
        self,
        kind: str,
        number: int,
        answer: Candidate | Unusable,
        training_seed: int,
        noise_floor: NoiseFloor | None,
        **more: Any,
    ) -> Line:
        fields = asdict(answer)
        if isinstance(answer, Candidate):
            self.store(answer)
            fields["source"] = answer.source_hash
            more["program"] = fingerprint.recorded(answer.source)
        more |= {"training_seed": training_seed, "noise_floor": _floor(noise_floor)}
        self.append(kind, durable=True, number=number, answer=fields, **more)
        return self.lines[-1]

    def _recall(self) -> None:
        """Take over what identifies the recorded programs, which the first journals do not say."""
        for line in self.lines:
            if line["kind"] in ("asked", "rebased"):
                fingerprint.recall(line["answer"].get("source", ""), line.get("program"))

    def _now(self) -> float:
        """Seconds since 1970. They never go back, since they tell which trial ended last."""
        now = round(time.time(), 3)
        return max(now, self.lines[-1]["time"]) if self.lines else now

    def _close(self) -> None:
        self._file.close()
        self._lock.close()

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
        return read_lines(self.folder / FILE, data[:whole])


def _floor(noise_floor: NoiseFloor | None) -> Line | None:
    return None if noise_floor is None else asdict(noise_floor)
