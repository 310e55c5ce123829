"""Decides which kind of proposal to ask for next, by a small schedule that depends on the trials so far and on what is
left.

An agent that is told nothing takes small steps: over a space of 14 constants, 0.06 of a constant's range where TPE took 0.57
(ferreirafabio/autoresearch-automl, "Search Diversity").
"""

from __future__ import annotations

from enum import StrEnum

from search.agent.memory import CODE, Memory

END = 0.2  # the last share of a study's trials, where what was found is put together


class Mode(StrEnum):
    """A kind of proposal, and how it is asked for."""

    STRUCTURE = "structure"
    TUNE = "tune"
    SIMPLIFY = "simplify"
    COMBINE = "combine"
    FREE = "free"


WORDS = {
    Mode.STRUCTURE: "change what the program does: a mechanism that no constant can give. Set the constants that it needs "
    "in the same edit.",
    Mode.TUNE: "change constants only, several together if they belong together, by steps large enough to be seen above "
    "the noise.",
    Mode.SIMPLIFY: "take out what does not help, or replace it by something simpler, without losing val_bpb.",
    Mode.COMBINE: "put two or more of the near misses below together, or a near miss and the constants that it needs.",
    Mode.FREE: "whatever is most promising.",
}
CYCLE = (Mode.STRUCTURE, Mode.STRUCTURE, Mode.TUNE, Mode.STRUCTURE, Mode.FREE)
LAST = (Mode.TUNE, Mode.COMBINE, Mode.TUNE, Mode.SIMPLIFY)
CLOSE = 1 / 3  # of a narrow loss: what lost by no more than noise may gain together
DRY = 3  # proposals of one mode in a row that were not kept, after which another one is due


def next_mode(memory: Memory) -> Mode:
    """The mode of the next proposal. It affects only words, so it may depend on a budget that is extended later."""
    past = [(Mode(trial.answer.facts["mode"]), trial) for trial in memory.edits if "mode" in trial.answer.facts]
    last = past[-1][1] if past else None
    if last is not None and last.number == memory.incumbent.trial and memory.kind(last) in CODE:
        return Mode.TUNE  # a new structure runs on constants that were tuned for the old one
    cycle = LAST if _is_late(memory) else CYCLE
    number = memory.proposals
    dry = {mode for mode, trial in past[-DRY:] if trial.number not in memory.kept}
    stuck = len(past) >= DRY and len(dry) == 1 and not any(trial.number in memory.kept for _, trial in past[-DRY:])
    for step in range(len(cycle)):
        mode = cycle[(number + step) % len(cycle)]
        if _is_possible(mode, memory) and not (stuck and mode in dry):
            return mode
    return Mode.FREE


def _is_late(memory: Memory) -> bool:
    left = memory.left
    return left is not None and left <= END * (left + memory.proposals)


def _is_possible(mode: Mode, memory: Memory) -> bool:
    if mode is Mode.COMBINE:
        return sum((memory.gain(miss) or 0.0) < CLOSE * memory.narrow for miss in memory.misses()) > 1
    if mode is Mode.SIMPLIFY:
        return len(memory.kept) > 2
    return True
