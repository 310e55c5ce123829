"""The four operators by which a tree makes a program from others, and their prompts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from search.agent.history import diff_lines
from search.agent.memory import Memory
from search.agent.population import Node
from search.strategy import Trial

DIFF_LINES, DIFF_WIDTH = 200, 200  # what is shown of another program is cut to so many lines and characters
TRACEBACK_CHARACTERS = 2_000


class Operator(StrEnum):
    """What is made of what."""

    DRAFT = "draft"  # the stock, in a direction of its own
    IMPROVE = "improve"  # a program, by an edit
    REPAIR = "repair"  # a program that broke
    MERGE = "merge"  # what two programs have that are not of one line


@dataclass(frozen=True)
class Plan:
    """What is to be made of what. `node`: the program that is shown. `other`: one that broke, or is to be merged."""

    operator: Operator
    node: Node
    other: Trial | None = None

    @property
    def broken(self) -> Trial | None:
        return self.other if self.operator is Operator.REPAIR else None

    @property
    def bases(self) -> dict[int, str]:
        """The programs that a reply may edit, by trial."""
        broken = {} if self.broken is None or self.broken.candidate is None else {self.broken.number: self.broken.candidate}
        return {self.node.trial: self.node.program.source, **{number: one.source for number, one in broken.items()}}


WORDS = {
    Operator.DRAFT: "you are shown the program that everything began with, not the best one. Take it in a direction "
    "that no trial has taken yet; others follow the other directions.",
    Operator.IMPROVE: "you are shown one of several programs that are developed in parallel. Make this one better.",
    Operator.REPAIR: "trial {number} broke before it could show what its idea is worth. Fix it, and change nothing else; "
    "if it cannot be fixed, edit the current program.",
    Operator.MERGE: "the current program and trial {number} came from different ideas, and each gained by itself. Put what "
    "trial {number} adds into the current program, so that both work together.",
}


def section(plan: Plan, memory: Memory) -> str:
    """The part of the prompt that says how the proposal is to be made."""
    operator, other = plan.operator, plan.other
    parts = [f"Operator: {operator.upper()}: {WORDS[operator].format(number=other.number if other is not None else '')}"]
    if operator is Operator.REPAIR and other is not None:
        parts.append(f"The end of what it printed:\n```\n{other.outcome.log_tail[-TRACEBACK_CHARACTERS:].strip()}\n```")
    if operator is Operator.MERGE and other is not None:
        lines = diff_lines(memory.trials[0], other)
        shown = [line[:DIFF_WIDTH] for line in lines[:DIFF_LINES]]
        shown += [f"[... {len(lines) - DIFF_LINES} more lines]"] if len(lines) > DIFF_LINES else []
        change = "\n".join(["```diff", *shown, "```"])
        parts.append(f"Trial {other.number} ({other.answer.note}), against the stock:\n{change}")
    return "\n\n".join(parts)
