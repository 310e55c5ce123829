"""Keeps the runs so far as lines of JSON beside the page. Each is on disk before the next run begins, and none changes
later."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from search.config.files import sync, unwritable
from search.config.messages import UserError

FILE = "runs.jsonl"
PLANNED, RUN, INTERRUPTED = "planned", "run", "interrupted"  # kinds of lines
Line = dict[str, Any]


class Record:
    """A record that exactly one process can write. Use it as a context manager."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Opens the record. Drops a torn last line, and says so. Raises UserError if another process writes it, if a line is
        damaged, or if the folder cannot be written."""
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
            sync(folder)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.lines = self._read(say)
        except BlockingIOError:
            self._file.close()
            raise UserError(f"{self.path}: another process runs these programs; wait for it, or give another out=") from None
        except UserError:
            self._file.close()
            raise

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def of(self, kind: str) -> list[Line]:
        """Returns the lines of one kind."""
        return [line for line in self.lines if line["kind"] == kind]

    def append(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Adds a line. Raises UserError if it cannot be written; the record then stays as it was."""
        line = {"kind": kind, "time": round(time.time(), 3), **fields}
        size = os.fstat(self._file.fileno()).st_size
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(size)
            raise unwritable(self.path, error) from error
        self.lines.append(line)

    def _read(self, say: Callable[[str], None]) -> list[Line]:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            say(f"{self.path}: dropped a torn last line of {len(data) - whole} bytes; its run will be repeated")
            self._file.truncate(whole)
        lines: list[Line] = []
        for number, raw in enumerate(data[:whole].splitlines(), 1):
            try:
                lines.append({"kind": "", **json.loads(raw)})
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"{self.path}: line {number} is damaged ({error}).\nRestore it from a copy, or give another out="
                ) from error
        return lines
