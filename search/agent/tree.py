"""A tree of programs in place of one incumbent: drafts, improvements, repairs and merges, several at a time.

After AIDE (arXiv 2502.13138), whose tree drafts, debugs and improves, and the populations of FunSearch (Nature 625,
2024) and AlphaEvolve (arXiv 2506.13131), which cross programs. Unlike theirs, the choice of what to expand accounts for
noise.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.agent.author import Author, tried_before
from search.agent.conversation import Conversation
from search.agent.memory import Memory, failed_to_train
from search.agent.modes import Mode, next_mode
from search.agent.operators import Operator, Plan, section
from search.agent.paired import Program
from search.agent.population import Node, Population
from search.config.schema import LLM_KEYS, build, settings_of
from search.llm.patience import PatientClient
from search.llm.prices import Price
from search.llm.record import Recorder
from search.llm.reply import Client, Exhausted
from search.strategy import (
    Candidate,
    Done,
    NoiseFloor,
    Status,
    TaskFacts,
    Trial,
    Unusable,
    UserError,
    Verdict,
    source,
)

MODES = {Operator.DRAFT: Mode.STRUCTURE, Operator.REPAIR: Mode.FREE, Operator.MERGE: Mode.COMBINE}


class Tree:
    """`llm`, `program`, `repairs`: as the agent takes them. `drafts`: how many programs start from the stock. `merge`:
    the share of proposals that combine two programs, once two from different lines beat the stock. `margin`: by how
    many standard deviations of a difference a program must be better to be kept."""

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        llm: Mapping[str, Any],
        program: str,
        repairs: int,
        drafts: int,
        merge: float,
        margin: float,
    ) -> None:
        for name, value in (("repairs", repairs), ("drafts", drafts), ("merge", merge), ("margin", margin)):
            if value < 0:
                raise UserError(f"strategy.{name}={value}: must be 0 or more")
        self.task, self.seed = task, seed
        self.drafts, self.merge = drafts, merge
        self.price: Price = llm["price"]
        client: Client = build({"_target_": llm["_target_"], **settings_of(dict(llm), LLM_KEYS)})
        self.client = PatientClient(client, task.say, task.stop)
        self.author = Author(Recorder(self.client, task.folder, task.begun), program, repairs)
        self.population = Population(seed, margin)
        self.noise_floor: NoiseFloor | None = None  # of the newest ask
        self.verdicts: dict[int, Verdict] = {}
        self.kept = [0]
        self.notes = ""
        self._broken: list[Trial] = []  # to be repaired, the newest last
        self._merged: set[frozenset[int]] = set()
        self._line: dict[int, int] = {}  # the program that a trial descends from: of a repair, the one before it broke
        self._known: dict[str, int] = {}  # programs that were tried, and the first trial of each
        self._asks = 0
        self._drafted = 0
        self.author.read_program()  # a missing file is found before anything is spent

    def check_server(self) -> None:
        """Raises UserError if the server, the model or the key does not work."""
        self.client.check()

    def ask(
        self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None
    ) -> Candidate | Unusable | Done:
        self.noise_floor = noise_floor
        number = len(history) + len(pending)
        plan = self._plan(number, {trial.number: trial for trial in history})
        if isinstance(plan, Candidate):
            return plan
        memory = self._memory(history, pending, plan.node)
        talk = Conversation(self._asks, MODES.get(plan.operator) or next_mode(memory), plan.broken)
        talk.more = {"How it is made": section(plan, memory)}
        self._asks += 1
        try:
            edited = self.author.converse(talk, number, memory, plan.bases, tried_before(self._known, pending))
        except Exhausted as end:
            return Done(str(end))
        self.notes = self.notes if talk.notes is None else talk.notes
        return self._recorded(self.author.proposal(talk, number, edited, self.price), number, plan)

    def tell(self, trial: Trial) -> Verdict:
        verdict = self.verdicts[trial.number] = self._judge(trial)
        return verdict

    def _plan(self, number: int, trials: Mapping[int, Trial]) -> Plan | Candidate:
        """What to make next: a broken program is repaired once, drafts come first, and then the choice that accounts
        for noise. A program that is due is trained again instead."""
        stock = self.population.nodes[0]
        if self._broken:
            broken = self._broken.pop()
            return Plan(Operator.REPAIR, self.population.nodes.get(self._line[broken.number], stock), broken)
        if self._drafted < self.drafts:
            return Plan(Operator.DRAFT, stock)
        node = self.population.choose(number, self.noise_floor) or stock
        if node.is_due and not node.again:
            node.again = True
            note = f"trial {node.trial} again, another training seed"
            return Candidate(node.program.source, replicate=1, parent=node.trial, note=note)
        draws = random.Random(f"merge {self.seed} {number}")
        if draws.random() < self.merge and (other := self._partner(node, number)) is not None:
            self._merged.add(frozenset((node.trial, other.trial)))
            return Plan(Operator.MERGE, node, trials[other.trial])
        return Plan(Operator.IMPROVE, node)

    def _partner(self, node: Node, number: int) -> Node | None:
        """Another program that beats the stock, of another line, that was not merged with this one before."""
        nodes, stock = self.population.nodes, self.population.nodes[0].program.score
        fit = [
            other
            for other in nodes.values()
            if max(other.program.score, node.program.score) < stock
            and frozenset((node.trial, other.trial)) not in self._merged
            and not self.population.is_ancestor(node, other)
            and not self.population.is_ancestor(other, node)
        ]
        return self.population.choose(number, self.noise_floor, fit)

    def _recorded(self, answer: Candidate | Unusable, number: int, plan: Plan) -> Candidate | Unusable:
        """The answer with its operator and, for a merge, the second parent. It is counted as a child."""
        operator = plan.operator
        if operator is Operator.REPAIR and isinstance(answer, Candidate) and answer.parent == plan.node.trial:
            operator = Operator.IMPROVE  # of what is current
        facts = {**answer.facts, "operator": str(operator)}
        if isinstance(answer, Unusable):
            return replace(answer, facts=facts)
        self._drafted += operator is Operator.DRAFT
        self._line[number] = plan.node.trial
        if operator is not Operator.REPAIR:  # whose node has the broken program for a child
            plan.node.children.add(number)
        merged = (plan.other.number,) if operator is Operator.MERGE and plan.other is not None else ()
        return replace(answer, facts=facts, merged=merged)

    def _judge(self, trial: Trial) -> Verdict:
        candidate, score = trial.candidate, trial.val_bpb
        if trial.duplicate_of is not None:
            said = str(trial.status) if score is None else f"{score:.4f}"
            return Verdict(False, f"{said}: the program of trial {trial.duplicate_of} again")
        if candidate is not None and trial.status is not Status.UNUSABLE:
            self._known.setdefault(source.program_hash(candidate.source), trial.number)
        if candidate is None or score is None:
            return self._failed(trial)
        if trial.number == 0:
            self.population.best = self.population.add(Program(0, candidate.source, {0: score}), ())
            return Verdict(True, f"{score:.4f}: the stock, to begin with")
        if candidate.replicate > 0:
            node = self.population.nodes[candidate.parent or 0]
            node.program.scores[candidate.replicate] = score
            self.population.pair(node)
            if node is self.population.best:
                return Verdict(False, f"the mean of the best, trial {node.trial}, is now {node.program.score:.4f}")
        else:
            parents = (self._line[trial.number], *candidate.merged)
            node = self.population.add(Program(trial.number, candidate.source, {0: score}), parents)
        if not trial.outcome.audited:
            return Verdict(False, f"{score:.4f}: too far from the best to be audited, and so nothing to keep")
        verdict = self.population.judge(node, self.noise_floor)
        if verdict.kept:
            self.kept.append(node.trial)
        return verdict

    def _failed(self, trial: Trial) -> Verdict:
        """A program that broke is repaired, unless it is a repair itself; one that breaks under another seed is dropped."""
        candidate = trial.candidate
        if candidate is not None and candidate.replicate > 0:
            self.population.failed_again(candidate.parent or 0)
        elif candidate is not None and failed_to_train(trial) and candidate.facts.get("operator") != Operator.REPAIR:
            self._broken.append(trial)
        told = "" if trial.status is Status.DISQUALIFIED else f", {trial.outcome.reason}"  # of scoring, a status word
        return Verdict(False, f"no score: {trial.status}{told}")

    def _memory(self, history: Sequence[Trial], pending: Mapping[int, Candidate], node: Node) -> Memory:
        floor, kept = self.noise_floor, tuple(self.kept)
        return Memory(self.task, history, self.verdicts, node.program, pending, kept, floor, self.notes)
