"""What a training run of `space=cpu` would score, in milliseconds: a regression through real ones.

`points.csv`: training runs of the stock of `task=smoke` with constants of `space=cpu`, 16,384 tokens each, every run under
another training seed; validation loss in nats per token. Half of them were drawn from the whole space, the others near the
best so far.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.model_selection import cross_val_predict

from search.config.schema import DimensionConfig

POINTS = Path(__file__).with_name("points.csv")
SEQUENCE = 64
LARGEST = 800_000  # weights and activations: what is beyond is out of memory, a third of the space
FLOOR = 3.5  # nats; regressions are of the logarithm of the distance from it

Values = Mapping[str, Any]


class Surrogate:
    """The mean of two regressions, and noise that depends on the program alone, as one training seed does."""

    def __init__(self, space: Mapping[str, DimensionConfig], stock: Values) -> None:
        self.space = space
        rows = list(csv.DictReader(POINTS.open()))
        points = [{name: _typed(row[name], stock[name]) for name in space} for row in rows]
        inputs, targets = (
            np.array([self._features(point) for point in points]),
            np.array([float(row["nats"]) for row in rows]),
        )
        logs = np.log(targets - FLOOR)
        self.models = [ExtraTreesRegressor(30, random_state=0), GradientBoostingRegressor(n_estimators=200, random_state=0)]
        guessed = np.mean([cross_val_predict(model, inputs, logs, cv=10) for model in self.models], axis=0)
        self.explained = 1 - np.var(guessed - logs) / np.var(logs)  # of the variance, across folds
        for model in self.models:
            model.fit(inputs, logs)
        self.noise = float(
            np.std([target for point, target in zip(points, targets, strict=True) if point == dict(stock)], ddof=1)
        )

    def score(self, values: Values, seed: int) -> tuple[float, float] | None:
        """Nats per token with the noise of a training seed, and without; None for what is out of memory."""
        if size(values) > LARGEST:
            return None
        features = np.array([self._features(values)])
        truth = FLOOR + math.exp(float(np.mean([model.predict(features)[0] for model in self.models])))
        digest = hashlib.sha256(f"{seed} {sorted(values.items())}".encode()).digest()
        return truth + random.Random(digest).gauss(0, self.noise), truth

    def _features(self, values: Values) -> list[float]:
        return [feature for name, dimension in self.space.items() for feature in _coordinates(dimension, values[name])]


def size(values: Values) -> int:
    """Weights and activations of one layer's kind: what fills a device's memory."""
    heads = -(-values["DEPTH"] * values["ASPECT_RATIO"] // values["HEAD_DIM"])
    width = heads * values["HEAD_DIM"]
    rows = min(values["DEVICE_BATCH_SIZE"], values["TOTAL_BATCH_SIZE"] // SEQUENCE)
    return int(values["DEPTH"] * width * (12 * width + SEQUENCE * rows))


def _coordinates(dimension: DimensionConfig, value: Any) -> list[float]:
    if dimension.kind == "choice":
        assert dimension.values is not None
        return [float(value == choice) for choice in dimension.values]
    return [math.log(value) if dimension.log or dimension.kind == "power_of_two" else float(value)]


def _typed(text: str, like: Any) -> Any:
    return type(like)(text)
