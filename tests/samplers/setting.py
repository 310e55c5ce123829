"""What the samplers tune here: the constants of `space=cpu` in the program of `task=smoke`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from search.config.places import CONF
from search.config.schema import Config
from search.config.validate import load

POINTS = Path(__file__).with_name("points.csv")
SEQUENCE = 64
LARGEST = 800_000  # weights and activations: what is beyond is out of memory, a third of the space

Values = Mapping[str, Any]


def configure(*overrides: str) -> Config:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return load(compose("config", overrides=["task=smoke", "space=cpu", "strategy=optuna", *overrides]))


def width(values: Values) -> int:
    """Channels of the model, as `train.py` makes them of its constants."""
    return int(-(-values["DEPTH"] * values["ASPECT_RATIO"] // values["HEAD_DIM"]) * values["HEAD_DIM"])


def size(values: Values) -> int:
    """Weights and activations of one layer's kind: what fills a device's memory."""
    rows = min(values["DEVICE_BATCH_SIZE"], values["TOTAL_BATCH_SIZE"] // SEQUENCE)
    return int(values["DEPTH"] * width(values) * (12 * width(values) + SEQUENCE * rows))


def read_points(stock: Values) -> list[tuple[Values, float]]:
    """Constants and nats per token of each training run. `stock`: the constants, of the types they have."""
    with POINTS.open() as file:
        return [
            ({name: type(like)(row[name]) for name, like in stock.items()}, float(row["nats"]))
            for row in csv.DictReader(file)
        ]
