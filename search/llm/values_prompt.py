"""The prompt for an LLM that chooses values of constants: titled sections, bounded in size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.llm.told import AT_QUARTERS, about_text, loss_curve, standing
from search.strategy import Candidate, NoiseFloor, Origin, Status, TaskFacts, Trial
from search.study.budget import trials_left
from search.study.space import Space, Values, described, short

RECENT, BEST = 20, 10  # trials told one by one: the last ones, and the best of those before
NOTE_CHARACTERS, REASON_CHARACTERS = 120, 160

HOW_TO_REPLY = """\
Reply in plain text with these two parts:

NOTE: the idea in a few words
{"NAME": value, "OTHER_NAME": value}

The second part is one JSON object with the constants to set and their values. Constants that you leave out keep the value \
they have in the best trial so far. Only the constants listed below can be set; nothing else of the program can change."""


@dataclass(frozen=True)
class Memory:
    """What a study knows when an LLM is asked. `history`: in the order of telling. `pending`: by trial number."""

    task: TaskFacts
    space: Space
    noise_floor: NoiseFloor | None
    history: Sequence[Trial]
    pending: Mapping[int, Candidate]

    @property
    def scored(self) -> list[Trial]:
        """Trials with a score, the best first, without anchors, which are the stock again."""
        scored = [trial for trial in self.history if trial.val_bpb is not None and trial.origin is not Origin.ANCHOR]
        return sorted(scored, key=lambda trial: (trial.val_bpb, trial.number))

    @property
    def left(self) -> int | None:
        """About how many trials the study has left, this one among them; None if nothing limits it."""
        return trials_left(self.task.study, self.history, len(self.pending))

    @property
    def base(self) -> Values:
        """The values of constants that a reply leaves out: the best trial's, or the stock's."""
        return self.values(self.scored[0].candidate) if self.scored else self.space.start

    def values(self, candidate: Candidate | None) -> Values:
        """The stock itself has no parameters on record."""
        return self.space.start if candidate is None or candidate.params is None else candidate.params


def compose(memory: Memory, instructions: str, more: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """The messages of a question; bounded in size, however long the study. `more`: sections of the strategy's own."""
    sections = {
        "Task": _task(memory),
        "Constants": _constants(memory),
        **(more or {}),
        f"Trials before the last {RECENT}": _older(memory),
        "Trials": _table(memory, memory.history[-RECENT:]),
        "Being tried now, without a result yet": "\n".join(
            f"- trial {number}: {_changed(memory, candidate.params)}" for number, candidate in memory.pending.items()
        ),
        "This proposal": standing(len(memory.history) - 1, memory.left),
    }
    body = "\n\n".join(f"# {title}\n\n{text}" for title, text in sections.items() if text)
    return [{"role": "system", "content": f"{instructions}\n\n{HOW_TO_REPLY}"}, {"role": "user", "content": body}]


def _task(memory: Memory) -> str:
    task, noise = memory.task, memory.noise_floor
    floor = "not measured yet" if noise is None else f"standard deviation {noise.sd:.4f} ({noise.trials} runs of the stock)"
    read = memory.scored[0].outcome.tokens if memory.scored else 0
    return (
        (f"- Text: {about_text(task, read)}\n" if task.text else "")
        + f"- Each trial: {task.budget} on {task.device}. Sequence length {task.sequence_length}, "
        f"vocabulary {task.vocab_size}.\n"
        "- Score: val_bpb, bits per byte of validation text; lower is better.\n"
        f"- Noise of val_bpb between training seeds: {floor}. Smaller differences may be luck.\n"
        f"- Limits: {task.limits}."
    )


def _constants(memory: Memory) -> str:
    """Each constant with what it may be, and its line in the program, whose comment says what it means."""
    rows = ["| constant | may be | stock | best so far | in the program |", "|---|---|---|---|---|"]
    for name, dimension in memory.space.dimensions.items():
        line = re.search(rf"^{name}\b.*$", memory.space.text, re.MULTILINE)
        cells = [
            name,
            described(dimension),
            short(memory.space.start[name]),
            short(memory.base[name]),
            line[0] if line else "",
        ]
        rows.append(_row([cell[:REASON_CHARACTERS] for cell in cells]))
    return "\n".join(rows)


def _older(memory: Memory) -> str:
    older = memory.history[:-RECENT]
    if not older:
        return ""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(Counter(trial.status for trial in older).items()))
    recent = {trial.number for trial in memory.history[-RECENT:]}
    best = [trial for trial in memory.scored if trial.number not in recent][:BEST]
    return f"{len(older)} trials: {counts}. The best of them:\n\n{_table(memory, best)}"


def _table(memory: Memory, trials: Sequence[Trial]) -> str:
    timed = memory.task.budget_tokens is None  # speed counts
    titles = [
        "trial",
        "val_bpb",
        "status",
        f"training loss {AT_QUARTERS} of the training run",
        "steps",
        *(["tokens/s"] if timed else []),
        "peak MB",
    ]
    rows = [_row([*titles, "different from the stock", "note"]), "|---" * (len(titles) + 2) + "|"]
    for trial in trials:
        outcome, speed = trial.outcome, trial.outcome.tokens_per_second
        anchor = trial.origin is Origin.ANCHOR
        cells = [
            str(trial.number),
            "" if trial.val_bpb is None else f"{trial.val_bpb:.4f}",
            str(trial.status),
            loss_curve(outcome),
            str(outcome.steps) if outcome.steps else "",
            *([] if not timed else ["" if speed is None else f"{speed:.0f}"]),
            f"{outcome.peak_memory_mb:.0f}" if outcome.peak_memory_mb else "",
            "" if trial.candidate is None else _changed(memory, trial.candidate.params),
            "the stock again, to see drift" if anchor else _remark(trial),
        ]
        rows.append(_row(cells))
    return "\n".join(rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _changed(memory: Memory, params: Values | None) -> str:
    return "nothing" if params is None else memory.space.changes(params)


def _remark(trial: Trial) -> str:
    """Why a trial has no score, as far as a strategy is told (a status word about scoring), or else its idea."""
    if trial.val_bpb is None and trial.status is not Status.DISQUALIFIED:
        return trial.outcome.reason[:REASON_CHARACTERS]
    return trial.answer.facts.get("idea", "")[:NOTE_CHARACTERS]
