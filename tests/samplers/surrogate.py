"""What a training run of `space=cpu` would score, in milliseconds: a regression through real ones.

`points.csv`: training runs of the stock of `task=smoke` with constants of `space=cpu`, 16,384 tokens each, every run under
another training seed; validation loss in nats per token. Half of them were drawn from the whole space, the others near the
best so far. `python -m tests.samplers.draw` makes more. Those of seeds 4000 to 4059 were trials of the harness: for the same
program and seed its loss differs from that of `draw` by less than 0.0005.

    python -m tests.samplers.surrogate         how well it knows points that it has not seen (minutes)
"""

from __future__ import annotations

import hashlib
import math
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from search.config.schema import Config, DimensionConfig
from search.runner.stock import stock_of
from search.strategy import source
from tests.samplers.setting import LARGEST, Values, configure, read_points, size, width

warnings.simplefilter("ignore", ConvergenceWarning)  # a feature without influence goes to the bound of its length

FLOOR = 3.5  # nats; regressions are of the logarithm of the distance from it
RATES = ("EMBEDDING_LR", "UNEMBEDDING_LR", "MATRIX_LR")
REGRESSIONS = ("smooth", "steps")
GOOD = 1 / 3  # of the points, those with the lowest loss: where samplers spend most of a study


class Surrogate:
    """The mean of `regressions`, a Gaussian process (smooth) and boosted trees (steps), and noise that depends on the
    program alone, as one training seed does. `noise`: the stock's standard deviation between training seeds, in nats."""

    def __init__(self, config: Config, regressions: Sequence[str] = REGRESSIONS) -> None:
        constants = source.constants(stock_of(config).text)
        self.space = config.space
        self.stock = {name: constants[name] for name in self.space}
        points = read_points(self.stock)
        self.inputs = np.array([self._features(values) for values, _ in points])
        self.nats = np.array([nats for _, nats in points])
        self.programs = np.unique([str(values) for values, _ in points], return_inverse=True)[1]  # equal where they are
        self.logs = np.log(self.nats - FLOOR)
        self.models = [_regression(name, self.inputs.shape[1]).fit(self.inputs, self.logs) for name in regressions]
        self.noise = float(np.std([nats for values, nats in points if values == self.stock], ddof=1))

    def quality(self) -> tuple[float, float]:
        """Of points that it has not seen (ten folds): the share of the variance of the logarithms that it explains, and
        the rank correlation among the GOOD ones."""
        folds = list(GroupKFold(10, shuffle=True, random_state=0).split(self.inputs, groups=self.programs))
        guessed = np.mean([cross_val_predict(model, self.inputs, self.logs, cv=folds) for model in self.models], axis=0)
        good = self.nats < np.quantile(self.nats, GOOD)
        return float(1 - np.var(guessed - self.logs) / np.var(self.logs)), float(
            spearmanr(guessed[good], self.logs[good])[0]
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
        """The constants, and what several of them make together: the width, and rates per token of a step."""
        made = [math.log(width(values)), *(math.log(values[rate] / values["TOTAL_BATCH_SIZE"]) for rate in RATES)]
        return [*made, *(part for name, one in self.space.items() for part in _coordinates(one, values[name]))]


def _regression(name: str, features: int) -> Any:
    if name == "steps":
        return GradientBoostingRegressor(n_estimators=200, random_state=0)
    kernel = 1.0 * Matern([3.0] * features, nu=2.5) + WhiteKernel(0.01)
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))


def _coordinates(dimension: DimensionConfig, value: Any) -> list[float]:
    if dimension.kind == "choice":
        assert dimension.values is not None
        return [float(value == choice) for choice in dimension.values]
    return [math.log(value) if dimension.log or dimension.kind == "power_of_two" else float(value)]


if __name__ == "__main__":
    for regressions in (REGRESSIONS, *((name,) for name in REGRESSIONS)):
        surrogate = Surrogate(configure(), regressions)
        explained, order = surrogate.quality()
        print(
            f"{' and '.join(regressions)}: explains {explained:.3f} of the variance, rank correlation of good points "
            f"{order:.2f}; {len(surrogate.nats)} points, noise {surrogate.noise:.3f} nats"
        )
