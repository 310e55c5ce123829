"""One call of a coding agent's command line: what it left in its workspace is recorded before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from search.agent import workspace
from search.agent.coder_output import Report, report, spent
from search.config.files import unwritable, write_whole
from search.config.messages import printable
from search.config.places import resolve
from search.config.schema import CoderConfig
from search.config.secrets import HIDDEN
from search.llm.record import lost
from search.llm.reply import Messages, Reply, Unavailable
from search.strategy import TaskFacts, UserError
from search.study.external import Ended, Program, Programs

WORK, TRANSCRIPT = "work.json", "transcript.jsonl"
LAST_WORDS = 200  # characters of what a command said before it failed


@dataclass(frozen=True)
class Work:
    """What a call has left. `train`: None if there is no such plain file. `problem`: why it cannot be used, judged by
    how the command ended; otherwise empty."""

    train: str | None
    notes: str
    problem: str


class Command:
    """The command line of `conf/coder`. `usd`: dollar limit of one call, as far as it reports its cost while it works.
    Raises UserError."""

    def __init__(self, coder: CoderConfig, task: TaskFacts, seconds: float, usd: float, sandbox: str) -> None:
        if task.programs is None:
            raise UserError("strategy=coder: no runner for external commands is available here")
        if None in coder.command:
            raise UserError("coder.command: holds a null; set what it needs, such as coder.model=NAME")
        self.programs: Programs = task.programs
        self.folder, self.usd = task.folder / "workspace", usd
        self.keys = () if coder.api_key_env is None else (coder.api_key_env,)
        self.program = Program(
            words=tuple(str(word).replace("{usd}", f"{usd:g}") for word in coder.command),
            folder=self.folder,
            said=workspace.PROMPT,
            seconds=seconds,
            hosts=tuple(coder.hosts),
            environment=coder.environment,
            keys=self.keys,
            shown=[resolve(path) for path in coder.installation],
            sandbox=sandbox,
            heed=self._too_much,
        )

    def check(self) -> None:
        """Raises UserError if it could not be run."""
        self.programs.check(self.program)

    def hidden(self, text: str) -> str:
        """The text without the key: what is recorded is published, and a program can print its environment."""
        for secret in filter(None, (os.environ.get(name) for name in self.keys)):
            text = text.replace(secret, HIDDEN)
        return text

    def _too_much(self, line: str) -> str:
        usd = spent(line)
        return f"it cost {usd:.2f} dollars, but strategy.usd={self.usd:g}" if usd is not None and usd > self.usd else ""


@dataclass(frozen=True)
class Session:
    """The call for one trial, in place of an LLM: its reply is the agent's last message. Its other results are in
    `record` before it returns. `fresh`: makes the workspace."""

    command: Command
    record: Path
    model: str
    fresh: Callable[[], None]
    patience_minutes: float

    def check(self) -> None:
        self.command.check()

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        """Raises Unavailable if the command failed without a result, and UserError."""
        self.fresh()
        ended = self.command.programs.run(self.command.program)
        said = report(ended.output)
        work = _work(self.command.folder, ended, said)
        silent = not said.usd and not said.tokens_out
        if work.problem and silent and (said.failed or not ended.why):
            raise Unavailable(f"coder.command ({self.command.program.words[0]})", work.problem)
        self._keep(TRANSCRIPT, printable("\n".join((ended.output, ended.errors))))
        self._keep(WORK, json.dumps(asdict(work), indent=1))
        return Reply(
            self.command.hidden(said.words),
            finish_reason=ended.why or f"exit code {ended.code}",
            model=self.model,
            tokens_in=said.tokens_in,
            tokens_out=said.tokens_out,
            tokens_cached=said.tokens_cached,
            seconds=ended.seconds,
            usd=said.usd,
        )

    def _keep(self, name: str, text: str) -> None:
        try:
            write_whole(self.record / name, self.command.hidden(text).encode())
        except OSError as error:
            raise unwritable(self.record / name, error) from error


def _work(folder: Path, ended: Ended, said: Report) -> Work:
    """What lies in the workspace when its command has ended."""
    train, notes = workspace.read(folder, workspace.TRAIN), workspace.read(folder, workspace.NOTES)
    problem = ended.why
    if not problem and (ended.code or said.failed):
        words = " ".join((said.words or ended.errors).split())[-LAST_WORDS:]
        problem = f"the command failed (exit code {ended.code}): {words}"
    return Work(train, notes or "", problem)


def recorded(folder: Path, number: int) -> Work:
    """What the call for a trial has left, from its record. Raises UserError."""
    path = folder / f"{number:04d}" / WORK
    try:
        return Work(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise lost(path, number, f"{type(error).__name__}: {error}") from error
