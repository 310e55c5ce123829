"""The agent: reads program.md and what has been tried, asks an LLM for an edit, and builds on what its keep rule keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.agent import prompt
from search.agent.keep_rules import RULES, Program
from search.config.places import resolve
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm import edits
from search.llm.prices import dollars
from search.llm.record import Recorder
from search.llm.reply import Call, Client, Exhausted, Reply
from search.strategy import Candidate, Cost, Done, NoiseFloor, Status, TaskFacts, Trial, Unusable, UserError, Verdict, source
from search.study.budget import known_total
from search.study.flags import flags

TRUNCATED = "length"  # the finish reason of a reply that ran out of room


@dataclass
class Conversation:
    """The calls of one proposal."""

    calls: list[Call] = field(default_factory=list)
    problem: str = ""

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
        self.recorder = Recorder(client, task.folder)
        self.incumbent = Program(0, task.stock)
        self.verdicts: dict[int, Verdict] = {}
        self._known: dict[str, int] = {}  # programs that were tried, and the first trial of each
        self._asks = 0
        self._read_program()  # a missing file is found before anything is spent

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
        self.recorder.end(len(history), ask, "" if edited is not None else talk.problem)
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
        messages: list[dict[str, str]] = []
        for call in range(self.repairs + 1):
            made = self.recorder.recorded(len(history), call)
            if made is None:
                messages = messages or self._messages(history, talk)
                made = self.recorder.complete(len(history), messages, self._read_program(), ask, call)
            talk.calls.append(made)
            try:
                return self._usable(made.reply)
            except edits.EditError as error:
                talk.problem = str(error)
                if messages:
                    messages = [*messages, *prompt.repair(made.reply.text, talk.problem)]
        return None

    def _messages(self, history: Sequence[Trial], talk: Conversation) -> list[dict[str, str]]:
        """The prompt, with what was said already where a study was cut off between a reply and its repair."""
        memory = prompt.Memory(history, self.verdicts, self.incumbent)
        messages = prompt.compose(self._read_program(), self.task, self.noise_floor, memory)
        for made in talk.calls:
            messages += prompt.repair(made.reply.text, self._problem(made.reply))
        return messages

    def _problem(self, reply: Reply) -> str:
        try:
            self._usable(reply)
        except edits.EditError as error:
            return str(error)
        return ""

    def _usable(self, reply: Reply) -> str:
        """The program that a reply makes. Raises EditError for one that there is no point in training."""
        if reply.finish_reason == TRUNCATED:
            raise edits.EditError("the reply was cut off (finish reason 'length'); make it shorter, with fewer lines quoted")
        edited = edits.new_program(reply.text, self.incumbent.source)
        program = source.program_hash(edited)
        if program == source.program_hash(self.incumbent.source):
            raise edits.EditError("the edit changes nothing but comments or formatting")
        if program in self._known:
            raise edits.EditError(f"this is the program of trial {self._known[program]} again, which is tried already")
        return edited

    def _facts(self, talk: Conversation, edited: str | None) -> tuple[str, dict[str, str]]:
        """The note, and what else goes on record: the hypothesis, which program.md was read, what stands out."""
        last = talk.calls[-1].reply
        facts: dict[str, Any] = {
            "hypothesis": edits.field(last.text, "hypothesis"),
            "program_md": talk.calls[0].program_md,
            "model": last.model,
            "calls": str(len(talk.calls)),
        }
        found = flags(edited) if edited is not None else ()
        if found:
            facts["flags"] = ",".join(found)
        return edits.field(last.text, "note") or "no note", facts

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
            return resolve(self.program).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"strategy.program={self.program}: cannot be read ({error}); name a Markdown file") from error
