"""The coder: the command line of a coding agent, run in a folder with the best program and everything that was
tried."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from search.agent import workspace
from search.agent.coder_call import Command, Session, Work, recorded
from search.agent.judge import TRIED, Judge
from search.agent.memory import Memory
from search.config.files import read_edited
from search.config.places import resolve
from search.config.schema import CoderConfig
from search.llm import edits
from search.llm.patience import PatientClient
from search.llm.prices import cost_of
from search.llm.record import Recorder
from search.llm.reply import Call
from search.strategy import Candidate, Done, NoiseFloor, TaskFacts, Trial, Unusable, UserError, Verdict
from search.study.flags import flags

NOTE_CHARACTERS = 120


class Coder:
    """A command that edits `train.py` in a folder of its own, once for each proposal.

    `coder`: the command, see conf/coder. `program`: the human's Markdown file, read at each proposal. `seconds`, `usd`:
    limits of one call. `keep`, `margin`: as the agent's. `sandbox`: bubblewrap, or none. `patience_minutes`: how long a
    command that fails without a cost is tried again.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        coder: CoderConfig,
        program: str,
        seconds: float,
        usd: float,
        keep: str,
        margin: float,
        sandbox: str,
        patience_minutes: float,
    ) -> None:
        for name, value in (("seconds", seconds), ("usd", usd)):
            if value <= 0:
                raise UserError(f"strategy.{name}={value}: must be above 0")
        self.task, self.coder, self.program = task, coder, program
        self.patience_minutes = patience_minutes
        self.judge = Judge(task.stock, keep, margin)
        self.command = Command(coder, task, seconds, usd, sandbox)
        self.noise_floor: NoiseFloor | None = None  # of the newest ask
        self.notes = ""  # as of the newest ask
        self._asks = 0
        self._human()  # a missing file is found before anything is spent

    def check_server(self) -> None:
        """Raises UserError if the command could not be run."""
        self.command.check()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        self.noise_floor = noise_floor
        due = self.judge.rule.due()
        if due is not None:
            return due
        number = len(history) + len(pending)
        recorder = self._recorder(number, history, pending)
        call = recorder.recorded(number, 0) or self._call(recorder, number)
        work = recorded(self.task.folder, number)
        self.notes, self._asks = work.notes, self._asks + 1
        problem = self._problem(work, pending)
        recorder.end(number, self._asks - 1, 1, problem)
        return self._proposal(call, work, problem)

    def tell(self, trial: Trial) -> Verdict:
        return self.judge.tell(trial, self.noise_floor)

    def _recorder(self, number: int, history: Sequence[Trial], pending: Mapping[int, Candidate]) -> Recorder:
        """Makes the call for a trial, and records it. The workspace is written only if the call is not yet on
        record."""
        fresh = partial(self._write, self._memory(history, pending))
        record = self.task.folder / f"{number:04d}"
        session = Session(self.command, record, self.coder.name, fresh, self.patience_minutes)
        patient = PatientClient(session, self.task.say, self.task.stop, node="strategy")
        return Recorder(patient, self.task.folder, self.task.begun)

    def _call(self, recorder: Recorder, number: int) -> Call:
        messages = [{"role": "user", "content": workspace.PROMPT}]
        return recorder.complete(number, messages, self._human(), self._asks, 0)

    def _write(self, memory: Memory) -> None:
        workspace.write(self.command.folder, self._human(), memory)

    def _human(self) -> str:
        """The human's words as they are now. Raises UserError."""
        try:
            return read_edited(resolve(self.program))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"strategy.program={self.program}: cannot be read ({error}); name a Markdown file") from error

    def _memory(self, history: Sequence[Trial], pending: Mapping[int, Candidate]) -> Memory:
        judge = self.judge
        kept, noise, rule = tuple(judge.kept), self.noise_floor, judge.rule.words
        return Memory(self.task, history, judge.verdicts, judge.incumbent, pending, kept, noise, self.notes, rule=rule)

    def _proposal(self, call: Call, work: Work, problem: str) -> Candidate | Unusable:
        cost, note = cost_of([call.reply], self.coder.price), _note(call.reply.text)
        facts = {"model": call.reply.model, "program_md": call.program_md}
        if problem.startswith(TRIED):
            facts["repeats"] = "1"
        if problem or work.train is None:
            return Unusable(problem, note, facts, cost)
        if found := flags(work.train):
            facts["flags"] = ",".join(found)
        return Candidate(work.train, parent=self.judge.incumbent.trial, note=note, facts=facts, cost=cost)

    def _problem(self, work: Work, pending: Mapping[int, Candidate]) -> str:
        """Why there is nothing to train; empty if there is."""
        if work.problem:
            return work.problem
        if work.train is None:
            return "it left no regular file train.py"
        try:
            edits.check(work.train)
        except edits.EditError as error:
            return str(error)
        return self.judge.repeats(work.train, pending)


def _note(words: str) -> str:
    """The last line of what it said."""
    lines = [re.sub(r"^[\s#*>-]+|[\s*]+$", "", line) for line in words.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return "".join(character if character.isprintable() else " " for character in last)[:NOTE_CHARACTERS] or "no note"
