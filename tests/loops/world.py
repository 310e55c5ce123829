"""A task with known truth: a program is constants and ideas, and what each is worth is drawn from a seed."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field

from search.study import source
from search.study.trial import LossPoint, Outcome, Status
from search.testing.synthetic import SyntheticRunner

STOCK = '''"""A program."""
LR = 0.02  # learning rate
BATCH = 64  # rows of a step
DECAY = 0.1  # of the weights


def build_model(vocab_size, sequence_length):
    x = 1
    return x


def main():
    return build_model(1, 1)
'''
CONSTANTS = ("LR", "BATCH", "DECAY")
IDEAS = 30
NOISE = 0.003  # sd of a trial, in bits per byte
BEND = 0.010  # bits per byte that a constant loses where it is off by a factor of 2; four times that for 4
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 8, in build_model\nTypeError: idea takes 1 argument'
CALL = re.compile(r"x = idea_(\d\d)\(x(?:, (\w+))?\)")


@dataclass(frozen=True)
class Idea:
    """`worth`: bits per byte, negative is better. `shift`: of the best LR, in powers of two. `slow`: what its slow form
    loses. `believed`: what a model expects of it."""

    worth: float
    shift: float
    slow: float
    believed: float


class World:
    """Of thirty ideas two in five help; of these, half want another learning rate, and a quarter are slow when written the
    obvious way."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(f"world {seed}")
        self.best = {name: draw.choice((-2, -1, 1, 2)) for name in CONSTANTS}  # powers of two from the stock's
        self.ideas = [self._idea(draw) for _ in range(IDEAS)]

    @staticmethod
    def _idea(draw: random.Random) -> Idea:
        worth = -draw.expovariate(1 / 0.015) if draw.random() < 0.4 else draw.expovariate(1 / 0.015)
        shift = draw.choice((-1.0, 1.0)) if draw.random() < 0.5 else 0.0
        slow = 0.02 if draw.random() < 0.25 else 0.0
        return Idea(worth, shift, slow, worth + draw.gauss(0, 0.02))

    def truth(self, text: str) -> float:
        """The score without noise."""
        used = [(self.ideas[int(number)], form) for number, form in set(CALL.findall(text))]
        values, stock = source.constants(text), source.constants(STOCK)
        off = {name: math.log2(values[name] / stock[name]) - self.best[name] for name in CONSTANTS}
        off["LR"] -= max(-2.0, min(2.0, sum(idea.shift for idea, _ in used)))
        tuned = BEND * sum(distance**2 for distance in off.values())
        return 1.0 + tuned + sum(idea.worth + (0.0 if form == "fast" else idea.slow) for idea, form in used)

    def speed(self, text: str) -> float:
        """In multiples of the stock's."""
        return math.prod(0.7 for number, form in set(CALL.findall(text)) if self.ideas[int(number)].slow and form != "fast")


@dataclass
class Runner(SyntheticRunner):
    """Trains nothing: scores are the world's truth with noise, losses what a slow or a bad idea would show."""

    world: World = field(default_factory=lambda: World(0))

    def run(self, request, observe):
        text = request.source
        self.requests.append(request)
        if "broken" in text:
            return Outcome(
                Status.CRASHED, reason=TRACEBACK.splitlines()[-1], seconds={"start": 1.0, "import": 1.0}, log_tail=TRACEBACK
            )
        truth, speed = self.world.truth(text), self.world.speed(text)
        score = truth + random.Random(f"{request.training_seed} {text}").gauss(0, NOISE)
        learned = truth + 0.12 * math.log(speed)  # a slow idea's score holds what its speed costs
        tokens = int(1e6 * speed)
        losses = tuple(
            LossPoint(place / 10, tokens * place // 100, round(2 + learned + 3 * math.exp(-tokens * place / 2e7), 4))
            for place in range(1, 101)
        )
        return Outcome(
            Status.COMPLETED,
            val_bpb=score,
            val_nats=2.1 + truth,
            audited=True,
            train_seconds=10.0,
            tokens=tokens,
            steps=tokens // 1000,
            losses=losses,
            seconds={"start": 1.0, "import": 1.0, "build": 1.0, "compile": 1.0, "data": 0.1, "train": 10.0},
        )
