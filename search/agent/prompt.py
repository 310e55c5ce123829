"""The agent's prompt: titled sections, those that change least first, since servers cache a common prefix. Apart from
program.md and train.py the size is bounded, however long the study: see the constants in `history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.agent import history
from search.agent.memory import Memory
from search.agent.modes import WORDS, Mode
from search.llm.told import about_text, standing
from search.strategy import FEWEST, Trial

INSTRUCTIONS = """\
You improve one program, train.py, by proposing one edit at a time. A harness trains and scores each edit, and \
you are told what was measured. Reply in plain text with these parts:

IDEAS: three to five ideas of different kinds, one line each, with the change of val_bpb that you expect from each. Then \
write the most promising one, not the safest one.
NOTE: that edit in a few words
HYPOTHESIS: why it should lower val_bpb, and what you will have learned if it does not
EXPECT: the change of val_bpb that you expect, such as -0.010

<<<<<<< SEARCH
lines of train.py, quoted exactly
=======
the lines to put in their place
>>>>>>> REPLACE

NOTES: your notebook, at most 2,000 characters. The next prompt shows it again, and nothing else of what you \
think now. What you write replaces it; if you leave this part out, it stays as it is.

Use as many blocks as the edit needs, each for a different place in the train.py that you are shown. Each SEARCH must \
match exactly one place. Instead of blocks you may give a unified diff, or the whole new file in one ```python fence. \
Propose one idea, complete and ready to run."""


def compose(
    program: str,
    memory: Memory,
    mode: Mode,
    offer: Trial | None,
    more: Mapping[str, str] | None = None,
    direction: str = "",
) -> list[dict[str, str]]:
    """The messages of a proposal. `program`: the human's program.md, whole. `offer`: the failed idea that may be followed
    up. `more`: further sections, by their titles. `direction`: of a plan, in place of a mode."""
    parts = {**sections(program, memory, mode, offer, direction), **(more or {})}
    body = "\n\n".join(f"# {title}\n\n{text}" for title, text in parts.items() if text)
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": body}]


def sections(program: str, memory: Memory, mode: Mode, offer: Trial | None, direction: str = "") -> dict[str, str]:
    """The parts of the second message, by their titles."""
    return {
        "What the human wants (program.md)": program.strip(),
        "Task": about_task(memory),
        "What train.py may call of the harness": memory.task.api,
        "Reports of other studies": memory.others,
        f"train.py (trial {memory.incumbent.trial}, the current one)": f"```python\n{memory.incumbent.source.rstrip()}\n```",
        "Every trial so far": history.every_trial(memory),
        "The last trials": history.last_trials(memory),
        "Diffs of near misses, and of the last edit that was not kept": history.diffs(memory, beside=offer),
        "Being tried now, without a result yet (do not propose these again)": history.being_tried(memory),
        "End of what the last broken program printed": history.last_failure(memory),
        "Your notebook": memory.notes,
        "This proposal": _proposal(memory, mode, offer, direction),
    }


def repair(messages: Sequence[Mapping[str, str]], reply: str, problem: str) -> list[dict[str, str]]:
    """The messages that follow an unusable reply. `reply`: the answer in it; empty if it was cut off or had none."""
    return follow(messages, reply, f"Nothing was trained: {problem}\n\nReply again, in full, with the corrected edit.")


def follow(messages: Sequence[Mapping[str, str]], reply: str, request: str) -> list[dict[str, str]]:
    """The messages with a reply and what is asked next. Roles must alternate, so without a reply the request is added to
    the question."""
    said = [dict(message) for message in messages]
    if reply.strip():
        return [*said, {"role": "assistant", "content": reply}, {"role": "user", "content": request}]
    return [*said[:-1], {**said[-1], "content": f"{said[-1]['content']}\n\n{request}"}]


def about_task(memory: Memory) -> str:
    """The text, the budget, the limits, the noise, what is kept, and what is flagged."""
    task, noise = memory.task, memory.noise
    floor = f"not measured yet (that takes {FEWEST} trials of the control). Small differences are luck"
    if noise is not None:
        floor = (
            f"standard deviation {noise.sd:.4f} ({noise.trials} training runs of the stock with different seeds). A "
            f"difference of two trials below {2 * 2**0.5 * noise.sd:.4f} may be luck"
        )
    device = memory.trials[0].outcome.device or task.device
    cores = f", {task.threads} thread(s)" if task.device == "cpu" else ""
    return "\n".join(line for line in (
        f"- Text: {about_text(task, memory.trials[memory.incumbent.trial].outcome.tokens)}" if task.text else "",
        f"- Budget: {task.budget}. {_counts(memory)} Device: {device}{cores}. Sequence length {task.sequence_length}, "
        f"vocabulary {task.vocab_size}.",
        f"- Limits: {task.limits}.",
        f"- Noise of val_bpb: {floor}.",
        f"- What is kept: {memory.rule}." if memory.rule else "",
        "- The harness sets the training seeds; a program that sets seeds is flagged, and confirmed under other seeds. "
        "Programs that use what training does not need (processes, threads, network, clocks, files, patched modules, parts "
        "of `search` other than `task`) are flagged too, and gain nothing: scores are audited.",
    ) if line)  # fmt: skip


def _counts(memory: Memory) -> str:
    if memory.task.budget_tokens is not None:
        return "Only tokens are counted: a larger model, or a step with more work in it, costs nothing, up to the limits."
    return "Time is counted: what matters is the loss reached per second, not per step."


def _proposal(memory: Memory, mode: Mode, offer: Trial | None, direction: str) -> str:
    lines = [
        standing(len(memory.history) - 1, memory.left),
        f"Current: {history.current(memory)}",
        history.estimates(memory),
        direction or _mode(mode),
        _offer(memory, offer),
    ]
    return "\n\n".join(line for line in lines if line)


def _mode(mode: Mode) -> str:
    return f"Mode: {mode.upper()}: {WORDS[mode]} Leave the mode only for an idea that is clearly more promising."


def _offer(memory: Memory, offer: Trial | None) -> str:
    if offer is None or (parent := memory.parent(offer)) is None:
        return ""
    return (
        f"Or follow up trial {offer.number} ({offer.answer.note}), which failed narrowly: its constants were tuned for "
        f"another program, or it broke because of a small mistake. "
        f"Begin such a reply with a line BASE: {offer.number}; its blocks are then "
        f"looked up in that trial's program, which is trial {parent.number}'s with this change:\n"
        "```diff\n" + "\n".join(history.diff_lines(parent, offer)) + "\n```"
    )
