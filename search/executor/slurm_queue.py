"""What Slurm knows about a study's jobs. `squeue` is used, since `sacct` needs a database that many clusters lack. All
jobs of a study share a name, which is kept in the study's folder. It identifies them when the process that submitted
them is gone.
"""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from search.config.files import write_whole
from search.config.messages import UserError

JOBS, NAME = "jobs", "name"  # in the study's folder: what submitit writes, and there a file with the name of all its jobs
FORGOTTEN = "FORGOTTEN"  # the state of a job that squeue does not know any more


class Queue:
    """The jobs of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def states(self) -> dict[str, tuple[str, str]]:
        """By their ids the state of each, and the reason where it waits. Raises SlurmSilent."""
        answer = _ask("squeue", "--noheader", "--states=all", f"--name={self.name}", "--format=%A|%T|%r")
        lines = (line.strip().split("|", 2) for line in answer.splitlines())
        return {job: (state, reason) for job, state, reason in lines}

    def cancel(self) -> None:
        """End all of them. Raises SlurmSilent."""
        _ask("scancel", f"--name={self.name}")


class SlurmSilent(UserError):
    """Slurm's controller did not answer."""


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SlurmSilent(f"{command[0]}: {' '.join(done.stderr.split())}\nFix that, and run the same command again")
    return done.stdout


def job_name(folder: Path, identity: str) -> str:
    """The name of all jobs of the study in `folder`, unlike that of any other study."""
    path = folder / JOBS / NAME
    if not path.is_file():
        write_whole(path, f"{identity.replace('/', '-')}-{uuid.uuid4().hex[:12]}".encode())
    return path.read_text(encoding="utf-8")
