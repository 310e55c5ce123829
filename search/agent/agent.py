"""The agent: reads program.md and what has been tried, asks an LLM for an edit, and builds on what its keep rule keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.agent import prompt
from search.agent.conversation import Conversation
from search.agent.keep_rules import RULES, Program
from search.config.files import read_edited
from search.config.places import resolve
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm import edits
from search.llm.answer import answer, is_cut_off, no_answer
from search.llm.patience import PatientClient
from search.llm.prices import Price
from search.llm.record import Recorder
from search.llm.reply import Call, Client, Exhausted, Messages, Refused, Reply
from search.strategy import Candidate, Done, NoiseFloor, Status, TaskFacts, Trial, Unusable, UserError, Verdict, source
from search.study.winner import compared


class Agent:
    """An LLM that edits the best program so far.

    `llm`: who answers. `program`: the human's Markdown file, read at each proposal. `repairs`: how often an unusable reply
    is sent back with the reason. `keep`: greedy, margin or replicate. `margin`: of the latter two, in standard deviations.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
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
        self.noise_floor: NoiseFloor | None = None  # of the newest ask
        self.price: Price = llm["price"]
        self.program = program
        self.repairs = repairs
        self.rule = RULES[keep](margin)
        client: Client = build({"_target_": llm["_target_"], **settings_of(dict(llm), LLM_KEYS)})
        self.client = PatientClient(client, task.say, task.stop)
        self.recorder = Recorder(self.client, task.folder, task.begun)
        self.incumbent = Program(0, task.stock)
        self.verdicts: dict[int, Verdict] = {}
        self._known: dict[str, int] = {}  # programs that were tried, and the first trial of each
        self._talks: dict[int, Conversation] = {}  # of the trials that are not told yet
        self._asks = 0
        self._read_program()  # a missing file is found before anything is spent

    def check_server(self) -> None:
        """Raises UserError where the server, the model or the key do not do."""
        self.client.check()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        self.noise_floor = noise_floor
        due = self.rule.due()
        if due is not None:
            return due
        number = len(history) + len(pending)
        talk = self._talks[number] = Conversation(self._asks)
        self._asks += 1
        memory = self._memory(history, pending)
        try:
            edited = self._converse(talk, number, memory)
        except Exhausted as end:
            return Done(str(end))
        return self._proposal(talk, number, edited)

    def is_stale(self, candidate: Candidate) -> bool:
        return candidate.replicate == 0 and candidate.parent != self.incumbent.trial

    def rebase(
        self, number: int, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable:
        """The same edit of the new incumbent where it applies cleanly, else a new proposal."""
        self.noise_floor = noise_floor
        talk, memory = self._talks[number], self._memory(history, pending)
        reply = talk.calls[-1].reply
        try:
            edited: str | None = self._usable(reply, pending, edit_only=True)
            how = f"applied to trial {self.incumbent.trial}"
        except edits.EditError as error:
            talk.problems.append(f"its base was replaced by trial {self.incumbent.trial}, and there: {error}")
            talk.anew = len(talk.calls)
            how = f"asked anew for trial {self.incumbent.trial}"
            edited = self._converse(talk, number, memory)
        return self._proposal(talk, number, edited, stale=how)

    def tell(self, trial: Trial) -> Verdict:
        self._talks.pop(trial.number, None)
        if trial.candidate is not None and trial.status is not Status.UNUSABLE:
            self._known.setdefault(source.program_hash(trial.candidate.source), trial.number)
        verdict = self._judge(trial)
        self.verdicts[trial.number] = verdict
        return verdict

    def _judge(self, trial: Trial) -> Verdict:
        if trial.val_bpb is None:
            self.rule.failed(trial, self.incumbent)
            # Of scoring an agent hears a status word; why training failed, it can learn from.
            told = "" if trial.status is Status.DISQUALIFIED else f", {trial.outcome.reason}"
            return Verdict(False, f"no score: {trial.status}{told}")
        if trial.number == 0:
            self.incumbent.scores[0] = trial.val_bpb
            return Verdict(True, f"{trial.val_bpb:.4f}: the stock, to begin with")
        if not trial.outcome.audited:
            self.rule.failed(trial, self.incumbent)
            words = compared(trial.val_bpb, self.incumbent.score, self.incumbent.trial)
            return Verdict(False, f"{words}: too far from the best to be audited, and so nothing to build on")
        verdict, self.incumbent = self.rule.judge(trial, self.incumbent, self.noise_floor)
        return verdict

    def _memory(self, history: Sequence[Trial], pending: Mapping[int, Candidate]) -> prompt.Memory:
        return prompt.Memory(history, self.verdicts, self.incumbent, pending)

    def _proposal(self, talk: Conversation, number: int, edited: str | None, stale: str = "") -> Candidate | Unusable:
        """What a conversation has come to, with what goes on record. `stale`: what was done where its base was replaced."""
        self.recorder.end(number, talk.ask, len(talk.calls), "" if edited is not None else talk.problem)
        note, facts = talk.facts(edited)
        if stale:
            facts["stale"] = stale
        if edited is None:
            return Unusable(f"after {len(talk.calls)} replies: {talk.problem}", note, facts, talk.cost(self.price))
        return Candidate(edited, parent=self.incumbent.trial, note=note, facts=facts, cost=talk.cost(self.price))

    def _converse(self, talk: Conversation, number: int, memory: prompt.Memory) -> str | None:
        """Ask until a reply is a program that is worth training, or until the repairs are used up or nobody answers any
        more. Raises Exhausted where nobody answered at all.

        A call that is on record is not made again, and its prompt is not composed again either.
        """
        for _ in range(self.repairs + 1):
            try:
                made = self.recorder.recorded(number, len(talk.calls)) or self._call(talk, number, memory)
            except Exhausted:
                if not talk.calls:
                    raise
                return None
            talk.calls.append(made)
            try:
                return self._usable(made.reply, memory.pending)
            except edits.EditError as error:
                talk.problems.append(str(error))
        return None

    def _call(self, talk: Conversation, number: int, memory: prompt.Memory) -> Call:
        """Ask for the proposal, or for a repair with what was said before. A server that does not take the conversation
        (it has become too long, say) is asked for the proposal anew. Raises as Client.complete."""
        program, call = self._read_program(), len(talk.calls)
        first = prompt.compose(program, self.task, self.noise_floor, memory)
        messages: Messages = first
        for reply, problem in talk.unusable:
            messages = prompt.repair(messages, "" if is_cut_off(reply) else answer(reply.text), problem)
        try:
            return self.recorder.complete(number, messages, program, talk.ask, call)
        except Refused:
            if call == talk.anew:
                raise
            return self.recorder.complete(number, first, program, talk.ask, call)

    def _usable(self, reply: Reply, pending: Mapping[int, Candidate], edit_only: bool = False) -> str:
        """The program that a reply makes. `edit_only`: a whole file does not do. Raises EditError for one that there is no
        point in training."""
        if problem := no_answer(reply):
            raise edits.EditError(problem)
        edited = edits.new_program(answer(reply.text), self.incumbent.source, edit_only)
        program = source.program_hash(edited)
        if program == source.program_hash(self.incumbent.source):
            raise edits.EditError("the edit changes nothing but comments, docstrings or formatting")
        if program in self._known:
            raise edits.EditError(f"this is the program of trial {self._known[program]} again, which is tried already")
        for number, candidate in pending.items():
            if program == source.program_hash(candidate.source):
                raise edits.EditError(f"this is the program of trial {number}, which is being tried by now")
        return edited

    def _read_program(self) -> str:
        try:
            return read_edited(resolve(self.program))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"strategy.program={self.program}: cannot be read ({error}); name a Markdown file") from error
