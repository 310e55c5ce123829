"""What the LLM is told: titled sections, the unchanging ones first (servers cache a common beginning), bounded in size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.agent.keep_rules import Program
from search.strategy import FEWEST, Candidate, NoiseFloor, Origin, Status, TaskFacts, Trial, Verdict, source

RECENT = 20  # trials told one by one; older ones are counted, and the best of them named
OLDER_NAMED = 10
BEST_DIFFS = 5  # edits shown in full,
DIFF_LINES, DIFF_WIDTH = 40, 160  # cut to so many lines and characters
TRACEBACK_CHARACTERS = 2_000
NOTE_CHARACTERS = 120

INSTRUCTIONS = """\
You improve one program, train.py, by proposing one edit at a time. Each edit is trained and scored by a harness, and \
you are told the result. Reply in plain text with these parts:

NOTE: the edit in a few words
HYPOTHESIS: why it should lower val_bpb

<<<<<<< SEARCH
lines of the current train.py, quoted exactly
=======
the lines to put in their place
>>>>>>> REPLACE

Use as many blocks as the edit needs. Each SEARCH must match exactly one place. Instead of blocks you may give the whole \
new file in one ```python fence. Propose one idea, complete and ready to run."""


@dataclass(frozen=True)
class Memory:
    """What the agent knows of its study. `history`: in the order of telling. `verdicts`, `pending`: by trial number."""

    history: Sequence[Trial]
    verdicts: Mapping[int, Verdict]
    incumbent: Program
    pending: Mapping[int, Candidate]

    @property
    def peak_memory_mb(self) -> float:
        """The peak memory of the current program's training run."""
        return next(trial for trial in self.history if trial.number == self.incumbent.trial).outcome.peak_memory_mb


def compose(program: str, task: TaskFacts, noise: NoiseFloor | None, memory: Memory) -> list[dict[str, str]]:
    """The messages of a proposal. `program`: the human's program.md, whole.

    Beside program.md and the current train.py the size is bounded, however long the study: see the constants above.
    """
    sections = {
        "What the human wants (program.md)": program.strip(),
        "Task": _task(task, noise, memory),
        "Edits that were kept, the largest gains first": _best_diffs(memory),
        "Earlier trials, condensed": _older(memory),
        f"The last {RECENT} trials": _recent(memory, noise),
        "Being tried now, without a result yet (do not propose these again)": _pending(memory),
        "End of the last failed training's output": _last_failure(memory),
        f"Current train.py (trial {memory.incumbent.trial}, val_bpb {memory.incumbent.score:.4f})": (
            f"```python\n{memory.incumbent.source.rstrip()}\n```"
        ),
    }
    body = "\n\n".join(f"# {title}\n\n{text}" for title, text in sections.items() if text)
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": body}]


def repair(messages: Sequence[Mapping[str, str]], reply: str, problem: str) -> list[dict[str, str]]:
    """The messages that follow a reply that could not be used. `reply`: the answer in it; empty where it is not to be said
    again, since it was cut off or had none: roles must alternate, and so the reason is then put to what was asked."""
    request = f"Nothing was trained: {problem}\n\nReply again, in full, with the corrected edit."
    said = [dict(message) for message in messages]
    if reply.strip():
        return [*said, {"role": "assistant", "content": reply}, {"role": "user", "content": request}]
    return [*said[:-1], {**said[-1], "content": f"{said[-1]['content']}\n\n{request}"}]


def _task(task: TaskFacts, noise: NoiseFloor | None, memory: Memory) -> str:
    floor = f"not measured yet (that takes {FEWEST} trials of the control)"
    if noise is not None:
        floor = f"standard deviation {noise.sd:.4f} ({noise.trials} training runs of the stock with different seeds)"
    cores = f", {task.threads} thread(s)" if task.device == "cpu" else ""
    return (
        f"- Budget: {task.budget}. Device: {task.device}{cores}. Sequence length {task.sequence_length}, "
        f"vocabulary {task.vocab_size}. The current train.py peaks at {memory.peak_memory_mb:,.0f} MB.\n"
        f"- Limits: {task.limits}.\n"
        f"- Noise of val_bpb: {floor}. Smaller differences are luck.\n"
        "- Training seeds are the harness's; a program that sets seeds is flagged, and confirmed under other seeds. What "
        "training has no use for (processes, threads, network, clocks, files, patched modules, more of `search` than "
        "`task`) is flagged too, and gains nothing: scores are audited."
    )


def _best_diffs(memory: Memory) -> str:
    by_number = {trial.number: trial for trial in memory.history}
    gains = []
    for trial in memory.history:
        parent = by_number.get(_parent(trial))
        if trial.number == 0 or trial.number not in memory.verdicts or not memory.verdicts[trial.number].kept:
            continue
        if trial.candidate is not None and trial.candidate.replicate > 0 and parent is not None:
            trial, parent = parent, by_number.get(_parent(parent))  # kept as the edit that it confirmed
        if parent is not None and trial.val_bpb is not None and parent.val_bpb is not None:
            gains.append((trial.val_bpb - parent.val_bpb, trial, parent))
    gains.sort(key=lambda gain: (gain[0], gain[1].number))
    return "\n\n".join(
        f"Trial {trial.number} ({difference:+.4f} against {parent.number}): {trial.answer.note}\n{_diff(parent, trial)}"
        for difference, trial, parent in gains[:BEST_DIFFS]
    )


def _diff(parent: Trial, trial: Trial) -> str:
    assert parent.candidate is not None and trial.candidate is not None
    lines = source.diff(parent.candidate.source, trial.candidate.source, "before", "after").splitlines()[2:]
    lines = [line[:DIFF_WIDTH] for line in lines]
    cut = [*lines[:DIFF_LINES], f"[... {len(lines) - DIFF_LINES} more lines]"] if len(lines) > DIFF_LINES else lines
    return "```diff\n" + "\n".join(cut) + "\n```"


def _older(memory: Memory) -> str:
    older = memory.history[:-RECENT]
    if not older:
        return ""
    counts = Counter(trial.status for trial in older)
    kept = sum(memory.verdicts[trial.number].kept for trial in older if trial.number in memory.verdicts)
    counted = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    scored = sorted((trial.val_bpb, trial.number, trial.answer.note) for trial in older if trial.val_bpb is not None)
    named = [f"- trial {number}: {score:.4f} {note[:NOTE_CHARACTERS]}" for score, number, note in scored[:OLDER_NAMED]]
    return f"{len(older)} trials: {counted}; {kept} kept. The best of them:\n" + "\n".join(named)


def _recent(memory: Memory, noise: NoiseFloor | None) -> str:
    lines = ["| trial | val_bpb | difference to current | status | edit | verdict |", "|---|---|---|---|---|---|"]
    for trial in memory.history[-RECENT:]:
        score = "" if trial.val_bpb is None else f"{trial.val_bpb:.4f}"
        verdict = memory.verdicts.get(trial.number)
        judged = "" if verdict is None else ("kept: " if verdict.kept else "discarded: ") + verdict.reason
        note = "the stock again, to see drift" if trial.origin is Origin.ANCHOR else trial.answer.note
        flagged = trial.answer.facts.get("flags")
        status = f"{trial.status} (flagged: {flagged})" if flagged else str(trial.status)
        cells = [str(trial.number), score, _difference(trial, memory, noise), status, note, judged]
        lines.append("| " + " | ".join(cell.replace("|", "/")[: 2 * NOTE_CHARACTERS] for cell in cells) + " |")
    return "\n".join(lines)


def _difference(trial: Trial, memory: Memory, noise: NoiseFloor | None) -> str:
    """The distance to the current program in bits per byte, and in standard deviations of a difference of two trials."""
    if trial.val_bpb is None:
        return ""
    difference = trial.val_bpb - memory.incumbent.score
    units = f" ({difference / (noise.sd * 2**0.5):+.1f} sd)" if noise is not None and noise.sd > 0 else ""
    return f"{difference:+.4f}{units}"


def _pending(memory: Memory) -> str:
    return "\n".join(
        f"- trial {number}: {candidate.note[: 2 * NOTE_CHARACTERS]}" for number, candidate in memory.pending.items()
    )


def _last_failure(memory: Memory) -> str:
    """The end of what training printed: what scoring printed may hold the scored text, and is nobody's business."""
    for trial in reversed(memory.history[-RECENT:]):
        if trial.status in (Status.CRASHED, Status.OUT_OF_MEMORY) and trial.outcome.log_tail.strip():
            return (
                f"Trial {trial.number} ({trial.status}):\n```\n{trial.outcome.log_tail[-TRACEBACK_CHARACTERS:].strip()}\n```"
            )
    return ""


def _parent(trial: Trial) -> int:
    return -1 if trial.candidate is None or trial.candidate.parent is None else trial.candidate.parent
