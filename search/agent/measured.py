"""Describes the measurements of a trial in words. All about training except the time was reported by the candidate's
own process. Ideas that lose by slower steps are distinguished from ideas that lose by learning less, since that decides
what to try next.
"""

from __future__ import annotations

from search.agent.memory import Memory, failed_to_train
from search.llm.told import AT_QUARTERS, loss_curve
from search.strategy import Outcome, Status, Trial
from search.study.losses import loss_at

PHASES = (
    ("start", "starting its process"),
    ("import", "importing train.py"),
    ("build", "building the trainer"),
    ("compile", "its warm-up steps"),
)
ALIKE = 0.03  # share by which two speeds of one program may differ on one machine
LEVEL = 0.005  # nats per token by which two training losses of a tenth of the text may differ by chance


def measurements(trial: Trial, memory: Memory) -> str:
    """Steps, tokens, speed (where it counts), size and losses, in one line; empty if nothing was trained."""
    outcome = trial.outcome
    if not outcome.tokens:
        return ""
    speed = outcome.tokens_per_second if memory.counts_time else None
    curve = loss_curve(outcome)
    parts = [
        f"{outcome.steps:,} steps, {outcome.tokens:,} tokens" + (f" at {speed:,.0f} per second" if speed else ""),
        _parameters(outcome),
        f"{outcome.peak_memory_mb:,.0f} MB" if outcome.peak_memory_mb else "",
        f"training loss {curve} {AT_QUARTERS} of the budget" if curve else "",
        _gap(outcome),
    ]
    return "; ".join(part for part in parts if part)


def reading(trial: Trial, memory: Memory) -> str:
    """Whether it was its speed or what it learned that made the difference to the program that it edited."""
    parent = memory.parent(trial)
    if parent is None or parent is trial or trial.val_bpb is None or not trial.outcome.losses or not parent.outcome.losses:
        return ""
    here, there = trial.outcome, parent.outcome
    speeds = here.tokens_per_second, there.tokens_per_second
    speed = speeds[0] / speeds[1] if speeds[0] and speeds[1] else None
    # Most schedules keep their learning rates up to half of the budget; later, one of the two would be further along.
    tokens = 0.5 * min(here.losses[-1].tokens, there.losses[-1].tokens)
    mine, its = loss_at(here.losses, tokens, 0.2 * tokens), loss_at(there.losses, tokens, 0.2 * tokens)
    learned = None if mine is None or its is None else mine.loss - its.loss
    words = []
    if speed is not None and memory.counts_time:
        words.append(f"{speed:.2f} times the speed of trial {parent.number}")
    if learned is not None:
        words.append(f"at equal tokens ({tokens:,.0f}) its training loss was {learned:+.3f}")
    return ", ".join(words) + _so(memory, trial, speed, learned)


def _so(memory: Memory, trial: Trial, speed: float | None, learned: float | None) -> str:
    """The conclusion, where the budget is of time and there is one."""
    gain = memory.gain(trial)
    if gain is None or gain <= 0 or speed is None or learned is None or not memory.counts_time:
        return ""
    if speed < 1 - ALIKE and learned < -LEVEL:
        return ": it learns more from a token and loses by being slow"
    if speed < 1 - ALIKE and learned <= LEVEL:
        return ": it learns as much from a token and loses by being slow"
    return ": it learns less from a token" if learned > LEVEL else ""


def failure(trial: Trial) -> str:
    """Where a program broke, and how. For a disqualified one it says only that: an agent learns only a status word
    about scoring."""
    outcome = trial.outcome
    if not failed_to_train(trial):
        return str(trial.status) if trial.status is Status.DISQUALIFIED else f"{trial.status}: {outcome.reason}"
    where = next((words for phase, words in PHASES if phase not in outcome.seconds), "training")
    if outcome.tokens or "train" in outcome.seconds or "data" in outcome.seconds:
        where = f"training, after {outcome.steps:,} steps" if outcome.steps else "training, in its first step"
    return f"{trial.status} in {where}: {outcome.reason}" if outcome.seconds else f"{trial.status}: {outcome.reason}"


def _parameters(outcome: Outcome) -> str:
    count = outcome.described.get("parameters")
    return f"{count / 1e6:.3g} M parameters" if isinstance(count, int | float) else ""


def _gap(outcome: Outcome) -> str:
    if outcome.val_nats is None or not outcome.losses:
        return ""
    last = loss_at(outcome.losses, outcome.losses[-1].tokens)
    if last is None:
        return ""
    return f"validation {outcome.val_nats:.3f} nats per token ({outcome.val_nats - last.loss:+.3f} to training)"
