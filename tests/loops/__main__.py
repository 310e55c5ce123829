"""Plays the agent's loop as it is, and as it was at a commit, over the same worlds.

python -m tests.loops [--before e168158] [--seeds 20] [--trials 30]      (a few minutes)
python -m tests.loops --play --seeds 2 --trials 10                       this code only, as a line of JSON per seed
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from search.agent.agent import Agent
from search.config.places import ROOT
from search.config.schema import StudyConfig
from search.strategy import NoiseFloor, TaskFacts
from search.study.journal import Journal
from search.study.winner import winner_of
from search.testing.synthetic import run_study
from tests.loops.world import NOISE, STOCK, Runner, World

WORDS = {
    "gain": "the winner's true gain, bits per byte",
    "at_ten": "its gain after ten trials",
    "accepted": "proposals that became a program",
    "at_once": "proposals that became a program with the first reply",
    "scored": "trials with a score",
    "kept": "trials that were kept",
    "calls": "calls per proposal",
}
FLOOR = NoiseFloor(mean=1.0, sd=NOISE, trials=8)
SETTINGS = {"program": "program.md", "repairs": 2, "keep": "greedy", "margin": 2.0, "follow": 1}


def play(seed: int, trials: int) -> dict[str, float]:
    """One study of this code's loop, by truth: the winner's gain, and shares of proposals."""
    world = World(seed)
    with tempfile.TemporaryDirectory() as folder:
        agent = _agent(seed, Path(folder) / "attachments", trials)
        _, told = run_study(Path(folder), agent, Runner(world=world), STOCK, trials, **_floor())
        with Journal(Path(folder), lambda text: None) as journal:
            entries = journal.entries
    winner = winner_of(entries).trial
    own = told[1:]
    calls = sum(trial.answer.cost.calls for trial in own)
    return {
        "gain": world.truth(STOCK) - world.truth(winner.candidate.source),
        "at_ten": world.truth(STOCK) - min(_truths(world, entries[:11])),
        "accepted": sum(trial.candidate is not None for trial in own) / len(own),
        "at_once": sum(trial.candidate is not None and trial.answer.cost.calls == 1 for trial in own) / len(own),
        "scored": sum(trial.val_bpb is not None for trial in own) / len(own),
        "kept": sum(entry.verdict.kept for entry in entries[1:]) / len(own),
        "calls": calls / len(own),
    }


def _floor() -> dict[str, Any]:
    """Where this code reads the noise floor at each ask; an older one has it from the constructor."""
    return {"noise_floor": lambda: FLOOR} if "noise_floor" in inspect.signature(run_study).parameters else {}


def _truths(world: World, entries: list[Any]) -> list[float]:
    return [world.truth(entry.trial.candidate.source) for entry in entries if entry.verdict.kept]


def facts(folder: Path, trials: int, **more: Any) -> TaskFacts:
    """As this code has them: an older one knows fewer."""
    values: dict[str, Any] = {
        "name": "simulated",
        "stock": STOCK,
        "device": "cpu",
        "threads": 1,
        "sequence_length": 8,
        "vocab_size": 300,
        "budget": "10 seconds of training",
        "limits": "none",
        "folder": folder,
        "text": "a made-up text",
        "training_tokens": 10_000_000,
        "bytes_per_token": 3.0,
        "study": StudyConfig(trials=trials),
        **more,
    }
    known = {item.name for item in fields(TaskFacts)}
    return TaskFacts(**{name: value for name, value in values.items() if name in known})


def _agent(seed: int, folder: Path, trials: int) -> Agent:
    """As this code has it: an older one knows fewer settings."""
    llm = {"_target_": "tests.loops.player.Player", "seed": seed, "price": {"input": 0.0, "output": 0.0, "cached": 0.0}}
    taken = inspect.signature(Agent).parameters
    settings = {**SETTINGS, "task": facts(folder, trials), "seed": seed, "noise_floor": FLOOR, "llm": llm}
    return Agent(**{name: value for name, value in settings.items() if name in taken})


def played(root: Path, seeds: int, trials: int) -> list[dict[str, float]]:
    """The same by the code that lies in `root`."""
    command = [sys.executable, "-m", "tests.loops", "--play", "--seeds", str(seeds), "--trials", str(trials)]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=True, stdout=subprocess.PIPE, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def checked_out(commit: str, folder: Path) -> Path:
    """That commit's code, with these players."""
    archive = subprocess.run(
        ["git", "archive", commit, "search", "program.md", "conf"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    shutil.copytree(ROOT / "tests" / "loops", folder / "tests" / "loops", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests" / "__init__.py").touch()
    return folder


def compared(before: list[dict[str, float]], after: list[dict[str, float]]) -> str:
    """Means over seeds, and the difference with its standard error, paired by seed."""
    rows = [f"| mean of {len(after)} seeds | before | after | difference |", "|---|---|---|---|"]
    for name in after[0]:
        pairs = [(one[name], other[name]) for one, other in zip(before, after, strict=True)]
        differences = [other - one for one, other in pairs]
        error = statistics.stdev(differences) / len(differences) ** 0.5
        means = [statistics.fmean(values) for values in zip(*pairs, strict=True)]
        rows.append(
            f"| {WORDS[name]} | {means[0]:.4f} | {means[1]:.4f} | {statistics.fmean(differences):+.4f} +- {error:.4f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--before", default="e168158")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args()
    if options.play:
        for seed in range(options.seeds):
            print(json.dumps(play(seed, options.trials)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        before = played(checked_out(options.before, Path(folder)), options.seeds, options.trials)
    print(compared(before, played(ROOT, options.seeds, options.trials)))


if __name__ == "__main__":
    main()
