"""A trainer that trains nothing: scores with chosen effects, noise, drift and failures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STOCK_BPB = 2.4  # the stock's true score on validation
SPLITS = 0.05  # by how much the confirmation split is harder for every program
SECONDS = 30.0  # of a training
TOKENS = 1_000_000
STEP = 1_000  # tokens of an optimizer step
PER_LOG = 1.0  # bits per byte that the stock's score loses where the logarithm of its tokens falls by 1
SAME_SEED = 0.5  # share of the noise's variance that a repeat with the same training seed keeps


@dataclass(frozen=True)
class Noise:
    """`tails`: normal, heavy (Student's t with 3 degrees of freedom) or skewed (exponential); all have the standard
    deviation `sd`. `drift`: bits per byte and hour by which everything gets worse, for the machine becomes slower."""

    sd: float
    tails: str
    drift: float


@dataclass
class Program:
    """A fake train.py. `overfit`: of its gain, the part that is there on validation only. `speed`: its tokens per second, in
    multiples of the stock's."""

    name: str
    kind: str
    tuning: float = 0.0
    code: float = 0.0
    overfit: float = 0.0
    noise: float = 1.0
    speed: float = 1.0
    constants: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()


STOCK = Program("stock", "none")


class Trainer:
    """Scores programs; its clock goes on with every training."""

    def __init__(self, noise: Noise, random: np.random.Generator) -> None:
        self.noise, self.random = noise, random
        self.now = 0.0
        self._seed_effects: dict[tuple[str, int], float] = {}

    def train(self, program: Program, seed: int) -> dict[str, Any]:
        """Columns of a completed trial; both splits are scored."""
        began, self.now = self.now, self.now + SECONDS + 6
        key = (program.name, seed)
        effect = self._seed_effects.setdefault(key, self._draw() * np.sqrt(SAME_SEED))
        own_pace = self._draw() * np.sqrt(1 - SAME_SEED)  # a run's own noise is the machine's speed of that minute
        slower = self.noise.drift * began / 3600
        tokens = int(TOKENS * program.speed * np.exp(-(own_pace + slower) / PER_LOG))
        score = STOCK_BPB + slower + program.noise * (effect + own_pace)
        own = 0.2 * self.noise.sd * self.random.standard_normal(2)  # each split's sampling of the same model
        return {
            "status": "completed",
            "val_bpb": float(score - program.tuning - program.code - program.overfit + own[0]),
            "confirmation_bpb": float(score - program.tuning - program.code + SPLITS + own[1]),
            "audited": True,
            "reason": "",
            "started": began,
            "finished": self.now,
            "train_seconds": SECONDS,
            "seconds": {"start": 0.5, "train": SECONDS, "score": 2.0, "audit": 2.0},
            "tokens": tokens,
            "steps": tokens // STEP,
            "training_seed": seed,
        }

    def crash(self, seed: int) -> dict[str, Any]:
        began, self.now = self.now, self.now + 10
        return {
            "status": "out_of_memory" if self.random.random() < 0.5 else "crashed",
            "val_bpb": None,
            "confirmation_bpb": None,
            "audited": False,
            "reason": "simulated",
            "started": began,
            "finished": self.now,
            "train_seconds": 5.0,
            "seconds": {"start": 0.5, "train": 5.0},
            "tokens": 100_000,
            "steps": 100_000 // STEP,
            "training_seed": seed,
        }

    def _draw(self) -> float:
        """One draw with the world's standard deviation."""
        if self.noise.tails == "heavy":
            return self.noise.sd * self.random.standard_t(3) / np.sqrt(3)
        if self.noise.tails == "skewed":
            return self.noise.sd * (self.random.exponential() - 1)
        return self.noise.sd * self.random.standard_normal()
