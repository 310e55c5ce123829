"""Which failed idea may be tried once more from its own program.

A new structure is first trained with constants that were tuned for the old one, or breaks because of a small mistake.
If a failed edit were simply forgotten, the idea would be lost.
"""

from __future__ import annotations

from search.agent.history import diff_lines
from search.agent.memory import CODE, Memory, failed_to_train
from search.strategy import Trial

FRESH = 2  # of the last ideas that were told, so many are still on offer
MOST_CHARACTERS = 12_000  # of the diff, which the prompt shows whole


def on_offer(memory: Memory, follow: int) -> Trial | None:
    """The last edit of the current program's code that failed narrowly or broke, unless it was followed up already.
    `follow`: how often in a row an idea may be."""
    followed = {trial.candidate.parent for trial in memory.edits if trial.candidate is not None}
    followed |= {candidate.parent for candidate in memory.pending.values()}
    for trial in reversed(memory.edits[-FRESH:]):
        if trial.number not in followed and _is_narrow(trial, memory) and _times(trial, memory) <= follow:
            return trial
    return None


def _is_narrow(trial: Trial, memory: Memory) -> bool:
    parent = memory.parent(trial)
    if trial.number in memory.kept or trial.candidate is None or parent is None or memory.kind(trial) not in CODE:
        return False
    if sum(map(len, diff_lines(parent, trial))) > MOST_CHARACTERS:
        return False
    if failed_to_train(trial):
        return True
    return trial.val_bpb is not None and trial.val_bpb - memory.incumbent.score < memory.narrow


def _times(trial: Trial, memory: Memory) -> float:
    """How many edits lie between the current program and this one; infinite if it came from another program."""
    steps = list(memory.steps(trial.number))
    return steps.index(memory.incumbent.trial) if memory.incumbent.trial in steps else float("inf")
