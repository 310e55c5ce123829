"""A trainer that trains nothing: scores with chosen effects, on a machine with chosen moods."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

STOCK_BPB = 1.0  # the stock's true score on validation, at the machine's usual speed
SECONDS, BETWEEN = 300.0, 30.0  # of a training run, and from its end to the next
TOKENS_PER_SECOND = 1_000_000.0
PER_LOG = 0.058  # bits per byte that a score loses where the logarithm of its tokens falls by 1: 0.00058 for 1 %
OF_A_SPLIT = 0.1  # sd of the sampling of one model on one split, as a share of the noise
PROBE = 0.002  # error of the probe, as a share of the speed
HEAVY = 3  # degrees of freedom of heavy tails


@dataclass(frozen=True)
class Noise:
    """What two runs of a program differ by.

    `sd`: of the effect of a training seed, in bits per byte. `common`: the share of its variance that all programs have in
    common; `by_strategy`: the share that programs of one strategy have. `tails`: normal, heavy (Student's t), skewed (gamma)
    or bursts (one seed in ten has five times the effect). `again`: sd of a run with the same training seed.

    Of the machine: `drift`: share of its speed that it loses in an hour; `day`: half of the difference between day and
    night; `restless`: sd of its speed from run to run, of which nine tenths last (AR 1). `probed`: whether it is measured.

    `unseen`: how hard unseen text is, in multiples of the validation text: scores and gains scale with it.
    """

    sd: float = 0.0009
    common: float = 0.5
    by_strategy: float = 0.0
    tails: str = "normal"
    again: float = 0.0005
    drift: float = 0.0
    day: float = 0.0
    restless: float = 0.0
    probed: bool = False
    unseen: float = 1.0


@dataclass
class Program:
    """A fake train.py of one strategy. `overfit`: the part of its gain that is there on validation only. `noise`: its noise
    in multiples of the stock's. `speed`: likewise its tokens per second. `fails`: the share of training seeds, the worst
    for it, with which it diverges. `heat`: the share by which the machine is slower after its run, for the probe."""

    name: str
    strategy: str
    kind: str
    tuning: float = 0.0
    code: float = 0.0
    overfit: float = 0.0
    noise: float = 1.0
    speed: float = 1.0
    fails: float = 0.0
    heat: float = 0.0
    constants: dict[str, Any] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        return self.tuning + self.code

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()


STOCK = Program("stock", "stock", "none")


class Trainer:
    """Scores programs; its clock, in seconds, goes on with every run."""

    def __init__(self, noise: Noise, random: np.random.Generator) -> None:
        self.noise, self.random = noise, random
        self.now = 0.0
        self._phase = random.random()  # of the day
        self._mood = random.standard_normal()
        self._effects: dict[tuple[str, int], float] = {}

    def slow(self, seconds: float) -> float:
        """By how much the logarithm of the machine's speed lies below its usual, but for its restlessness."""
        hours = seconds / 3600
        return self.noise.drift * hours + self.noise.day * math.sin(2 * math.pi * (hours / 24 + self._phase))

    def train(self, program: Program, seed: int) -> dict[str, Any]:
        """Columns of a trial: completed, or diverged."""
        began, self.now = self.now, self.now + SECONDS + BETWEEN
        slower = self.slow(began) - self.noise.restless * self._next_mood()
        noise, effect = self.noise, self._effect(program, seed)
        if program.fails and self._rank(program, seed) > 1 - program.fails:
            return self._failed(began, seed)
        score = STOCK_BPB + program.noise * effect + PER_LOG * slower + noise.again * self.random.standard_normal()
        splits = OF_A_SPLIT * noise.sd * self.random.standard_normal(2)  # the sampling of either split
        rate = TOKENS_PER_SECOND * program.speed * math.exp(-slower)
        probe = math.exp(-slower + PROBE * self.random.standard_normal()) if self.noise.probed else None
        return {
            **self._columns(began, seed),
            "status": "completed",
            "val_bpb": float(score - program.gain - program.overfit + splits[0]),
            "confirmation_bpb": float(noise.unseen * (score - program.gain) + splits[1]),
            "audited": True,
            "train_seconds": SECONDS,
            "seconds": {"start": 5.0, "train": SECONDS, "score": 10.0, "audit": 5.0},
            "tokens": int(rate * SECONDS),
            "tokens_per_second": rate,
            "steps": int(rate * SECONDS / 500_000),
            "probe_before": probe,
            "probe_after": None if probe is None else probe * (1 - program.heat),
        }

    def crash(self, seed: int) -> dict[str, Any]:
        """Columns of a trial that a study lost to the machine or to its own program."""
        began, self.now = self.now, self.now + 60
        return self._failed(began, seed)

    def _failed(self, began: float, seed: int) -> dict[str, Any]:
        nothing = dict.fromkeys(("val_bpb", "confirmation_bpb", "tokens_per_second", "probe_before", "probe_after"))
        ended = {"status": "diverged", "audited": False, "reason": "simulated", "tokens": 0, "steps": 0}
        seconds = {"seconds": {"start": 5.0, "train": 5.0}, "train_seconds": 5.0}
        return {**self._columns(began, seed), **nothing, **ended, **seconds}

    def _columns(self, began: float, seed: int) -> dict[str, Any]:
        return {"reason": "", "started": began, "finished": self.now, "training_seed": seed}

    def _next_mood(self) -> float:
        self._mood = 0.9 * self._mood + math.sqrt(1 - 0.9**2) * self.random.standard_normal()
        return self._mood

    def _effect(self, program: Program, seed: int) -> float:
        """Of a training seed on a program, in bits per byte."""
        noise = self.noise
        own = max(0.0, 1 - noise.common - noise.by_strategy)
        parts = (("", noise.common), (program.strategy, noise.by_strategy), (f"program {program.name}", own))
        return noise.sd * sum(math.sqrt(share) * self._draw(who, seed) for who, share in parts if share)

    def _rank(self, program: Program, seed: int) -> float:
        """How bad a seed is for a program, from 0 to 1 on average."""
        effect = self._effect(program, seed) / self.noise.sd
        return 0.5 * (1 + math.erf(effect / math.sqrt(2)))

    def _draw(self, who: str, seed: int) -> float:
        """With standard deviation 1, the same for the same seed."""
        if (who, seed) not in self._effects:
            self._effects[who, seed] = self._fresh()
        return self._effects[who, seed]

    def _fresh(self) -> float:
        match self.noise.tails:
            case "heavy":
                return float(self.random.standard_t(HEAVY) / math.sqrt(HEAVY))
            case "skewed":
                return float((self.random.gamma(2.0) - 2) / math.sqrt(2))
            case "bursts":
                size = 5.0 if self.random.random() < 0.1 else 1.0
                return float(size * self.random.standard_normal() / math.sqrt(0.9 + 0.1 * 25))
            case _:
                return float(self.random.standard_normal())
