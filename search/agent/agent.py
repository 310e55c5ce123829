"""The agent: reads program.md and what has been tried, asks an LLM for an edit, and builds on what its keep rule keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.agent import prompt
from search.agent.keep_rules import RULES, Program
from search.config.files import read_edited
from search.config.places import resolve
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm import edits
from search.llm.answer import answer, is_cut_off, no_answer
from search.llm.patience import PatientClient
from search.llm.prices import dollars
from search.llm.record import Recorder
from search.llm.reply import Call, Client, Exhausted, Messages, Refused, Reply
from search.strategy import Candidate, Cost, Done, NoiseFloor, Status, TaskFacts, Trial, Unusable, UserError, Verdict, source
from search.study.budget import known_total
from search.study.flags import flags


@dataclass
class Conversation:
    """The calls of one proposal."""

    calls: list[Call] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of each reply that could not be used

    @property
    def problem(self) -> str:
        """What was wrong with the last reply."""
        return self.problems[-1] if self.problems else ""

    @property
    def replies(self) -> list[Reply]:
        return [call.reply for call in self.calls]


class Agent:
    """An LLM that edits the best program so far.

    `llm`: who answers. `program`: the human's Markdown file, read at each proposal. `repairs`: how often an unusable reply
    is sent back with the reason. `keep`: greedy, margin or replicate. `margin`: of the latter two, in standard deviations.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        noise_floor: NoiseFloor | None,
        llm: Mapping[str, Any],
        program: str,
        repairs: int,
        keep: str,
        margin: float,
    ) -> None:
        if keep not in RULES:
            raise UserError(f"strategy.keep={keep}: choose {', '.join(RULES)}")
        if repairs < 0 or margin < 0:
            raise UserError(f"strategy.repairs={repairs}, strategy.margin={margin}: must be 0 or more")
        self.task = task
        self.noise_floor = noise_floor
        self.price: Mapping[str, float | None] = llm["price"]
        self.program = program
        self.repairs = repairs
        self.rule = RULES[keep](noise_floor, margin)
        client: Client = build({"_target_": llm["_target_"], **settings_of(dict(llm), LLM_KEYS)})
        self.client = PatientClient(client, task.say, task.stop)
        self.recorder = Recorder(self.client, task.folder, task.begun)
        self.incumbent = Program(0, task.stock)
        self.verdicts: dict[int, Verdict] = {}
        self._known: dict[str, int] = {}  # programs that were tried, and the first trial of each
        self._asks = 0
        self._read_program()  # a missing file is found before anything is spent

    def check_server(self) -> None:
        """Raises UserError where the server, the model or the key do not do."""
        self.client.check()

    def ask(self, history: Sequence[Trial]) -> Candidate | Unusable | Done:
        due = self.rule.pending()
        if due is not None:
            return due
        ask, self._asks = self._asks, self._asks + 1
        talk = Conversation()
        edited: str | None = None
        try:
            edited = self._converse(talk, history, ask)
        except Exhausted as end:
            if not talk.calls:
                return Done(str(end))
        self.recorder.end(len(history), ask, len(talk.calls), "" if edited is not None else talk.problem)
        note, facts = self._facts(talk, edited)
        if edited is None:
            return Unusable(f"after {len(talk.calls)} replies: {talk.problem}", note, facts, self._cost(talk))
        return Candidate(edited, parent=self.incumbent.trial, note=note, facts=facts, cost=self._cost(talk))

    def tell(self, trial: Trial) -> Verdict:
        if trial.candidate is not None and trial.status is not Status.UNUSABLE:
            self._known.setdefault(source.program_hash(trial.candidate.source), trial.number)
        verdict = self._judge(trial)
        self.verdicts[trial.number] = verdict
        return verdict

    def _judge(self, trial: Trial) -> Verdict:
        if trial.val_bpb is None:
            self.rule.failed()
            # Of scoring an agent hears a status word; why training failed, it can learn from.
            told = "" if trial.status is Status.DISQUALIFIED else f", {trial.outcome.reason}"
            return Verdict(False, f"no score: {trial.status}{told}")
        if trial.number == 0:
            self.incumbent.scores[0] = trial.val_bpb
            return Verdict(True, "the stock, to begin with")
        if not trial.outcome.audited:
            self.rule.failed()
            return Verdict(False, "too far from the best to be audited, and so nothing to build on")
        verdict, self.incumbent = self.rule.judge(trial, self.incumbent)
        return verdict

    def _converse(self, talk: Conversation, history: Sequence[Trial], ask: int) -> str | None:
        """Ask until a reply is a program that is worth training, or until the repairs are used up. Raises Exhausted.

        A call that is on record is not made again, and its prompt is not composed again either.
        """
        for call in range(self.repairs + 1):
            made = self.recorder.recorded(len(history), call) or self._call(talk, history, ask, call)
            talk.calls.append(made)
            try:
                return self._usable(made.reply)
            except edits.EditError as error:
                talk.problems.append(str(error))
        return None

    def _call(self, talk: Conversation, history: Sequence[Trial], ask: int, call: int) -> Call:
        """Ask for the proposal, or for a repair with what was said before. A server that does not take the conversation
        (it has become too long, say) is asked for the proposal anew. Raises as Client.complete."""
        program = self._read_program()
        memory = prompt.Memory(history, self.verdicts, self.incumbent)
        first = prompt.compose(program, self.task, self.noise_floor, memory)
        messages: Messages = first
        for made, problem in zip(talk.calls, talk.problems, strict=True):
            messages = prompt.repair(messages, "" if is_cut_off(made.reply) else answer(made.reply.text), problem)
        try:
            return self.recorder.complete(len(history), messages, program, ask, call)
        except Refused:
            if not talk.calls:
                raise
            return self.recorder.complete(len(history), first, program, ask, call)

    def _usable(self, reply: Reply) -> str:
        """The program that a reply makes. Raises EditError for one that there is no point in training."""
        if problem := no_answer(reply):
            raise edits.EditError(problem)
        edited = edits.new_program(answer(reply.text), self.incumbent.source)
        program = source.program_hash(edited)
        if program == source.program_hash(self.incumbent.source):
            raise edits.EditError("the edit changes nothing but comments, docstrings or formatting")
        if program in self._known:
            raise edits.EditError(f"this is the program of trial {self._known[program]} again, which is tried already")
        return edited

    def _facts(self, talk: Conversation, edited: str | None) -> tuple[str, dict[str, str]]:
        """The note, and what else goes on record: the hypothesis, which program.md was read, what stands out."""
        last = talk.calls[-1].reply
        said = answer(last.text)
        facts: dict[str, Any] = {
            "hypothesis": edits.field(said, "hypothesis"),
            "program_md": talk.calls[0].program_md,
            "model": last.model,
            "calls": str(len(talk.calls)),
        }
        found = flags(edited) if edited is not None else ()
        if found:
            facts["flags"] = ",".join(found)
        return edits.field(said, "note") or "no note", facts

    def _cost(self, talk: Conversation) -> Cost:
        return Cost(
            usd=dollars(talk.replies, self.price),
            tokens_in=known_total([reply.tokens_in for reply in talk.replies]),
            tokens_out=known_total([reply.tokens_out for reply in talk.replies]),
            tokens_cached=known_total([reply.tokens_cached for reply in talk.replies]),
            seconds=round(sum(reply.seconds for reply in talk.replies), 3),
            calls=len(talk.replies),
        )

    def _read_program(self) -> str:
        try:
            return read_edited(resolve(self.program))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"strategy.program={self.program}: cannot be read ({error}); name a Markdown file") from error
