"""The folder that a coding agent works in. It is written anew from the record for each proposal, and read with care."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from search.agent import history, prompt
from search.agent.measured import failure, measurements, reading
from search.agent.memory import Memory, training_log
from search.config.files import remove_tree, unwritable
from search.config.places import ROOT
from search.strategy import Trial, source

TRAIN, NOTES, CHECK = "train.py", "NOTES.md", "check.py"
FROZEN = ROOT / "search" / "task"  # what train.py may import; copied, since its text is worth reading
MOST_BYTES = {TRAIN: 2**20, NOTES: 2**16}  # that are read back

PROMPT = f"""\
You improve one program, {TRAIN}, in this folder. When you end, a harness trains what you leave in {TRAIN} under a fixed \
budget, and scores it: val_bpb, lower is better. Each call of you is one trial, and your next call sees its result.

Read README.md first (the task, its limits, and what is in this folder), then program.md (what the human wants), \
history.md and {NOTES}. Look into trials/ for what was tried: the diffs, the outcomes, the losses, and how programs broke.

Then make the most promising change of {TRAIN}: complete, ready to train, and not already tried. \
Run `python {CHECK}` before you end: it builds the model and takes one step on made-up tokens on the CPU. There is no \
text here, no GPU and no network except your own provider's, so training anything longer is useless.

Before you end, write into {NOTES} what you have learned and what to try next: apart from the record of the trials, these \
notes are all that you will know the next time. Then say in one line what you changed, and why it should help."""


def write(folder: Path, program: str, memory: Memory) -> None:
    """Write the folder anew: nothing of an earlier call is left in it except the recorded notes. `program`: the human's
    program.md. Raises UserError."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        remove_tree(folder)  # what somebody has locked, too: two processes that are seldom needed
        for name, text in _files(program, memory):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        shutil.copytree(FROZEN, folder / "search" / "task", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (folder / "search").rglob("*.py"):
            path.chmod(0o444)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error


def read(folder: Path, name: str) -> str | None:
    """The text of a file that the agent has left, cut where it is too long; None if there is no such plain file. A link
    is not followed: it could lead to anything that this user may read, and what is read is shown to the agent again."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(MOST_BYTES[name]).decode("utf-8", "replace")
    return None


def _files(program: str, memory: Memory) -> Iterator[tuple[str, str]]:
    """By their names: everything in the folder except the copy of `search.task`."""
    task, incumbent = memory.task, memory.incumbent
    yield TRAIN, incumbent.source
    yield NOTES, memory.notes
    yield CHECK, (FROZEN / CHECK).read_text(encoding="utf-8")
    yield "program.md", program
    yield "README.md", _readme(memory)
    yield "history.md", _history(memory)
    facts = {"sequence_length": task.sequence_length, "vocab_size": task.vocab_size, "threads": task.threads}
    yield "task.json", json.dumps(facts, indent=1)
    yield "search/__init__.py", ""
    for trial in memory.history:
        for name, text in _trial(trial, memory).items():
            yield f"trials/{trial.number:04d}/{name}", text


def _readme(memory: Memory) -> str:
    parts = {
        "Task": prompt.about_task(memory),
        f"What {TRAIN} may call of the harness": f"{memory.task.api}\n\nIts text is in search/task, to read.",
        "In this folder": "\n".join(
            (
                f"- {TRAIN}: the best program so far, that of trial {memory.incumbent.trial}. Edit it in place",
                f"- {CHECK}: builds its model and takes one step on made-up tokens on the CPU",
                "- history.md: every trial in one line",
                "- trials/NNNN: a trial's train.py, change.diff against the program that it edited, outcome.json "
                "(with the training losses), and log.txt (the end of what training printed)",
                f"- {NOTES}: yours; everything else is written anew for each call",
            )
        ),
    }
    return "\n\n".join(f"# {title}\n\n{text}" for title, text in parts.items()) + "\n"


def _history(memory: Memory) -> str:
    left = "" if memory.left is None else f"About {memory.left} trials are left, with this one.\n\n"
    tried = history.being_tried(memory)
    tried = f"\n\nBeing tried now, without a result yet (do not propose these again):\n{tried}" if tried else ""
    return f"{left}{history.every_trial(memory)}{tried}\n"


def _trial(trial: Trial, memory: Memory) -> Mapping[str, str]:
    """What is shown of a trial. Of its scoring that is the score, or a status word."""
    files = {"outcome.json": json.dumps(_outcome(trial, memory), indent=1)}
    if trial.candidate is not None:
        files[TRAIN] = trial.candidate.source
        parent = memory.parent(trial)
        if parent is not None and parent.candidate is not None and parent is not trial:
            names = f"trial {parent.number}", f"trial {trial.number}"
            files["change.diff"] = _diff(parent.candidate.source, trial.candidate.source, *names)
    if training_log(trial).strip():
        files["log.txt"] = training_log(trial)
    return files


@functools.lru_cache(maxsize=4096)  # two texts take milliseconds, and are asked for at every proposal
def _diff(before: str, after: str, name_before: str, name_after: str) -> str:
    return source.diff(before, after, name_before, name_after)


def _outcome(trial: Trial, memory: Memory) -> Mapping[str, object]:
    outcome, verdict = trial.outcome, memory.verdicts.get(trial.number)
    parent = memory.parent(trial)
    return {
        "trial": trial.number,
        "status": str(trial.status),
        "val_bpb": trial.val_bpb,
        "against_parent": memory.gain(trial),
        "parent": None if parent is None else parent.number,
        "kept": trial.number in memory.kept,
        "verdict": "" if verdict is None else verdict.reason,
        "note": trial.answer.note,
        "failure": failure(trial) if trial.val_bpb is None else "",
        "measured": measurements(trial, memory),
        "reading": reading(trial, memory),
        "losses": [{"tokens": point.tokens, "loss": point.loss} for point in outcome.losses],
    }
