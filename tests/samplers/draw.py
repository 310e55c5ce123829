"""More points for the surrogate: `python -m tests.samplers.draw COUNT SEED >> tests/samplers/points.csv`.

Trains the stock once and COUNT programs that fit into memory: every second one drawn from the whole space, the others near
one of the best so far. Rows are printed as they are made, so a call that is cut off loses none. Training seeds begin at
1000 * SEED; take a SEED that no row has. On an idle core, a row takes one to three seconds.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from search.data.tokens import prepare_data
from search.runner.stock import stock_of
from search.study.space import Space
from tests.samplers.direct import nats
from tests.samplers.setting import LARGEST, Values, configure, read_points, size

ROWS = 256  # that are scored: four times as many as in a trial of `task=smoke`, for less noise
BEST = 10  # points that new ones are drawn near
REACH = 0.1  # of each range: how far from them, as a standard deviation
ANYWHERE = 0.2  # the share of their constants that are drawn from the whole range


def main(arguments: Sequence[str]) -> None:
    count, seed = map(int, arguments)
    config = configure(f"task.scoring_rows={ROWS}")
    prepared = prepare_data(config, lambda text: None)
    space = Space(config.space, stock_of(config).text)
    scored, draws = read_points(space.start), random.Random(seed)
    table = csv.DictWriter(sys.stdout, [*space.start, "seed", "nats"], lineterminator="\n")
    for number in range(count + 1):
        values, training_seed = proposal(space, scored, number, draws), 1000 * seed + number
        loss = nats(space.candidate(values, {}).source, config.task, prepared, training_seed)
        if not math.isfinite(loss):
            print(f"left out, since its loss is {loss}: {values}", file=sys.stderr)
            continue
        scored.append((values, loss))
        table.writerow({**values, "seed": training_seed, "nats": f"{loss:.6g}"})
        sys.stdout.flush()


def proposal(space: Space, scored: Sequence[tuple[Values, float]], number: int, draws: random.Random) -> Mapping[str, Any]:
    """The stock's constants first, and then points that fit into memory."""
    if number == 0:
        return space.start
    while True:
        coordinates = [draws.random() for _ in space.start]
        if number % 2 == 0:
            near = draws.choice(sorted(scored, key=lambda point: point[1])[:BEST])[0]
            coordinates = [
                anywhere if draws.random() < ANYWHERE else min(max(draws.gauss(place, REACH), 0.0), 1.0)
                for anywhere, place in zip(coordinates, space.coordinates(near), strict=True)
            ]
        values = {name: _rounded(value) for name, value in space.values(coordinates).items()}
        if size(values) <= LARGEST:
            return values


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
