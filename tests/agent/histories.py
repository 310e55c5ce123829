"""Made-up histories of a study, of any length: for looking at prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from search.agent.keep_rules import Greedy, Program
from search.agent.memory import Memory
from search.agent.modes import Mode
from search.config.schema import BudgetConfig, StudyConfig
from search.console.run_study import limits_in_words
from search.runner.task_api import task_api
from search.strategy import Candidate, NoiseFloor, Origin, Outcome, Status, TaskFacts, Trial, Verdict, source
from search.study.budget import budget_in_words
from search.study.trial import LossPoint
from search.testing.subject import task_config

NOISE = NoiseFloor(mean=2.45, sd=0.004, trials=12)
TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 141, in forward
    mixed = mixed * self.scale[:, None]
RuntimeError: The size of tensor a (64) must match the size of tensor b (2) at non-singleton dimension 3"""
RELU, SILU = "F.relu(self.up(x)).square()", "F.silu(self.up(x))"
SCALED = "mixed.reshape(batch, length, width)"


def facts(study: StudyConfig, stock: str, seconds: bool = True, folder: Path = Path("nowhere")) -> TaskFacts:
    """Of the task `cpu`, under a budget of seconds or of tokens."""
    config = replace(task_config().task, budget=BudgetConfig(25.0) if seconds else BudgetConfig(None, 300_000, 900.0))
    return TaskFacts(
        name="cpu",
        stock=stock,
        device="cpu",
        threads=1,
        sequence_length=128,
        vocab_size=1024,
        budget=budget_in_words(config.budget),
        limits=limits_in_words(config, None),
        folder=folder,
        budget_tokens=config.budget.tokens,
        text="python: Python source code: some packages to train on, another package to be scored on",
        training_tokens=6_200_000,
        bytes_per_token=2.71,
        api=task_api(),
        study=study,
    )


def memory(count: int, stock: str, seconds: bool = True, study: StudyConfig | None = None, notes: str = "") -> Memory:
    """After `count` trials, the stock among them, under the greedy rule. Of five ideas one is a constant that helps, one a
    code change that breaks, one slow, one learns less, and one fails narrowly."""
    told = [Trial(0, Origin.STOCK, Candidate(stock, note="the stock"), outcome(2.45))]
    verdicts, kept = {0: Verdict(True, "the stock, to begin with")}, [0]
    incumbent, rule = Program(0, stock, {0: 2.45}), Greedy()
    for number in range(1, count):
        trial = _trial(number, incumbent)
        if trial.val_bpb is None:
            verdicts[number] = Verdict(False, f"no score: {trial.status}, {trial.outcome.reason}")
        else:
            verdicts[number], incumbent = rule.judge(trial, incumbent, None)
        if incumbent.trial != kept[-1]:
            kept.append(incumbent.trial)
        told.append(trial)
    task = facts(study or StudyConfig(trials=max(100, count + 100)), stock, seconds)
    return Memory(task, told, verdicts, incumbent, {}, tuple(kept), NOISE, notes, rule=Greedy.words)


def outcome(score: float, speed: float = 1.0, learns: float = 0.0, parameters: float = 330_000) -> Outcome:
    """Of a training run of 25 seconds. `learns`: nats per token by which its training loss is lower at equal tokens."""
    tokens = int(1_200_000 * speed)
    seen = [tokens * place // 100 for place in range(1, 101)]
    losses = tuple(
        LossPoint(25 * count / tokens, count, round(4.3 + 2.6 * math.exp(-count / 250_000) - learns, 4)) for count in seen
    )
    return Outcome(
        Status.COMPLETED,
        val_bpb=score,
        val_nats=round(score * 2.71 * math.log(2), 4),
        audited=True,
        seconds={"start": 0.5, "import": 1.5, "build": 0.1, "compile": 0.1, "data": 0.02, "train": 25.0},
        train_seconds=25.0,
        tokens=tokens,
        steps=tokens // 1024,
        peak_memory_mb=343.0,
        losses=losses,
        described={"parameters": parameters},
    )


def _trial(number: int, incumbent: Program) -> Trial:
    """The next idea of the five."""
    score, form = incumbent.score, number % 5
    rate = source.constants(incumbent.source)["MATRIX_LR"]
    tuned = source.set_constants(incumbent.source, {"MATRIX_LR": round(rate + 0.0001, 6)})
    if form == 1:
        return _made(number, tuned, incumbent, f"MATRIX_LR {rate:g} -> {rate + 0.0001:g}", Mode.TUNE, outcome(score - 0.002))
    if form == 2:
        text = incumbent.source.replace(SCALED, f"{SCALED} * {1 + number / 1000}")
        broken = Outcome(
            Status.CRASHED,
            reason=TRACEBACK.splitlines()[-1],
            seconds={"start": 0.5, "import": 1.5, "build": 0.1},
            log_tail=TRACEBACK,
        )
        return _made(number, text, incumbent, "scale each head by a learned factor", Mode.STRUCTURE, broken)
    if form == 3:
        text = source.set_constants(incumbent.source, {"ASPECT_RATIO": 64 + number})
        slow = outcome(score + 0.031, 0.62, 0.08, 620_000)
        return _made(number, text, incumbent, "a wider model", Mode.FREE, slow)
    text = incumbent.source.replace(RELU, f"{SILU} * {1 + number / 1000}")
    lost = outcome(score + 0.005, 0.99, -0.02) if form == 4 else outcome(score + 0.09, 0.97, -0.2)
    return _made(number, text, incumbent, "SiLU in the place of squared ReLU", Mode.STRUCTURE, lost)


def _made(number: int, text: str, incumbent: Program, note: str, mode: Mode, ended: Outcome) -> Trial:
    said: Mapping[str, str] = {
        "mode": str(mode),
        "hypothesis": f"trial {incumbent.trial} is limited here, as its losses at a quarter of the budget show; if this "
        "does not help, the limit lies elsewhere",
        "expected": "-0.012",
    }
    candidate = Candidate(text, parent=incumbent.trial, note=note, facts=dict(said))
    return Trial(number, Origin.STRATEGY, candidate, replace(ended))
