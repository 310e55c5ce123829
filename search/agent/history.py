"""Describes trials for a prompt: all of them in one line each, the last ones with measurements, and promising edits as
diffs. The size of each part is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.agent.measured import failure, measurements, reading
from search.agent.memory import Memory, failed_to_train
from search.strategy import Origin, Trial, source

LINES = 80  # trials in a line each; older ones are counted, and
OLDER_NAMED = 15  # the best of them named
WIDTH = 100  # characters of a note in such a line
DETAILED = 6  # trials with hypothesis and measurements
NEAREST = 3  # near misses with their diffs
DIFF_LINES, DIFF_WIDTH = 40, 160  # a diff is cut to so many lines and characters
TRACEBACK_CHARACTERS = 2_000
FLAWED = "flagged"


def every_trial(memory: Memory) -> str:
    """One line per trial; of a long study, the older ones condensed."""
    older, recent = memory.history[:-LINES], memory.history[-LINES:]
    lines = _condensed(older, memory) if older else []
    return "\n".join([*lines, *(_line(trial, memory) for trial in recent)])


def last_trials(memory: Memory) -> str:
    """The last trials with their hypotheses, whole, and all that was measured of them."""
    return "\n\n".join(detailed(trial, memory) for trial in memory.edits[-DETAILED:])


def in_full(trials: Sequence[Trial], memory: Memory) -> str:
    """Trials with all that was measured of them, and with their diffs."""
    parts = []
    for trial in trials:
        parent = memory.parent(trial)
        parts.append(detailed(trial, memory) + ("" if parent is None else f"\n{_cut(diff_lines(parent, trial))}"))
    return "\n\n".join(parts)


def current(memory: Memory) -> str:
    """What was measured of the current program."""
    trial = memory.trials[memory.incumbent.trial]
    return f"Trial {trial.number}: val_bpb {memory.incumbent.score:.4f}; {measurements(trial, memory)}"


def estimates(memory: Memory) -> str:
    """How the author's expectations have held so far."""
    pairs = [
        (float(trial.answer.facts["expected"]), gain)
        for trial in memory.edits
        if "expected" in trial.answer.facts and (gain := memory.gain(trial)) is not None
    ]
    if len(pairs) < 2:
        return ""
    expected, measured = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    better = sum(gain < 0 for _, gain in pairs)
    return (
        f"Your {len(pairs)} estimates so far: {expected:+.4f} expected on average, {measured:+.4f} measured; "
        f"{better} of them made val_bpb lower."
    )


def diffs(memory: Memory, beside: Trial | None) -> str:
    """Of the nearest misses, and of the last edit that was not kept. `beside`: one that is shown elsewhere."""
    lost = [trial for trial in memory.edits if trial.candidate is not None and trial.number not in memory.kept]
    shown = memory.misses()[:NEAREST]
    shown += [trial for trial in lost[-1:] if trial not in shown]
    parts = []
    for trial in shown:
        parent = memory.parent(trial)
        if trial is not beside and parent is not None:
            parts.append(f"{title(trial, memory)}\n{_cut(diff_lines(parent, trial))}")
    return "\n\n".join(parts)


def diff_lines(before: Trial, after: Trial) -> list[str]:
    """From one trial's program to the other's."""
    assert before.candidate is not None and after.candidate is not None
    return source.diff(before.candidate.source, after.candidate.source, "before", "after").splitlines()[2:]


def _cut(lines: list[str]) -> str:
    rest = [f"[... {len(lines) - DIFF_LINES} more lines]"] if len(lines) > DIFF_LINES else []
    return "```diff\n" + "\n".join([*(line[:DIFF_WIDTH] for line in lines[:DIFF_LINES]), *rest]) + "\n```"


def being_tried(memory: Memory) -> str:
    return "\n".join(f"- trial {number}: {candidate.note[:WIDTH]}" for number, candidate in memory.pending.items())


def last_failure(memory: Memory) -> str:
    """The end of what training printed. What scoring printed may hold the scored text, and is never shown."""
    for trial in reversed(memory.edits[-DETAILED:]):
        if failed_to_train(trial) and trial.outcome.log_tail.strip():
            return f"Trial {trial.number}:\n```\n{trial.outcome.log_tail[-TRACEBACK_CHARACTERS:].strip()}\n```"
    return ""


def _line(trial: Trial, memory: Memory) -> str:
    if trial.origin is not Origin.STRATEGY:
        stock = "the stock, with which the study began"
        again = f"{stock}, trained again: shows the drift of the machine" if trial.number else stock
        return f"- {trial.number}: {_score(trial)} {again}"
    gain, parent = memory.gain(trial), memory.parent(trial)
    against = f" ({gain:+.4f} against {parent.number})" if gain is not None and parent is not None else ""
    kept = "KEPT " if trial.number in memory.kept else ""
    flagged = f" [{FLAWED}: {flags}]" if (flags := trial.answer.facts.get("flags")) else ""
    return f"- {trial.number}: {_score(trial)}{against} {kept}{trial.answer.note[:WIDTH]}{flagged}"


def _score(trial: Trial) -> str:
    return str(trial.status) if trial.val_bpb is None else f"{trial.val_bpb:.4f}"


def _condensed(older: Sequence[Trial], memory: Memory) -> list[str]:
    counts = Counter(str(trial.status) for trial in older)
    kept = sum(trial.number in memory.kept for trial in older)
    scored = sorted((trial for trial in older if trial.val_bpb is not None), key=lambda trial: (trial.val_bpb, trial.number))
    counted = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return [
        f"The first {len(older)} trials: {counted}; {kept} kept. The best of them:",
        *(_line(trial, memory) for trial in scored[:OLDER_NAMED]),
        f"The last {LINES}:",
    ]


def title(trial: Trial, memory: Memory) -> str:
    """A trial in one line."""
    return _line(trial, memory).removeprefix("- ").strip().replace(f"{trial.number}:", f"Trial {trial.number}:", 1)


def detailed(trial: Trial, memory: Memory) -> str:
    """A trial with its hypothesis and all that was measured of it."""
    facts, verdict = trial.answer.facts, memory.verdicts.get(trial.number)
    kept = "Kept" if trial.number in memory.kept else "Not kept"
    expected = f" You expected {float(facts['expected']):+.4f}." if "expected" in facts else ""
    lines = [
        f"{title(trial, memory)}.{expected}",
        f"Hypothesis: {facts['hypothesis']}" if facts.get("hypothesis") else "",
        failure(trial) if trial.val_bpb is None else measurements(trial, memory),
        reading(trial, memory),
        f"{kept}: {verdict.reason}" if verdict is not None and trial.val_bpb is not None else "",
    ]
    return "\n".join(line for line in lines if line)
