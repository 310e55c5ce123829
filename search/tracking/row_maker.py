"""Makes the table's rows in a process of its own. Each takes a tenth of a second of processor time, which the study's
loop must not lose; and Python 3.11's `ast` fails if two threads use it at once.

    python -m search.tracking.row_maker        (started by the publisher)
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from search.config.places import ROOT
from search.config.schema import TaskConfig
from search.study import source
from search.study.journal import Entry
from search.study.trial import Trial
from search.tracking import trial_row


@dataclass(frozen=True)
class Job:
    """What `trial_row.row` is given."""

    entry: Entry
    parent: str | None
    stock: Trial
    task: TaskConfig


class RowMaker:
    """Starts the process when it is needed. It ends with this one, whatever that ends by: its input is then closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, job: Job) -> dict[str, Any]:
        """The trial's `row`, and all of its program's `constants`. Raises OSError if the process cannot be kept up."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            made: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            self.close()
            raise OSError(f"the rows of trial {job.entry.number} could not be computed ({error})") from error
        return made

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,  # Ctrl-C is for the study
        )
        return self._process


def _made(job: Job) -> dict[str, Any]:
    candidate = job.entry.trial.candidate
    return {
        "row": trial_row.row(job.entry, job.parent, job.stock, job.task),
        "constants": {} if candidate is None else _constants(candidate.source),
    }


def _constants(text: str) -> dict[str, str]:
    try:
        return {name: str(value) for name, value in source.constants(text).items()}
    except trial_row.UNREADABLE:
        return {}  # recorded as unusable; the text itself is an artifact


def main() -> None:
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        print(json.dumps(_made(job)), flush=True)


if __name__ == "__main__":
    main()
