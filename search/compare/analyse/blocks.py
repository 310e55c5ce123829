"""The confirmation's blocks: what each program gained over the stock that was trained beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from statistics import fmean

import numpy as np
import numpy.typing as npt

from search.compare.analyse import probe
from search.compare.read.tables import REPORT, STOCK, ConfirmationTable, TrialRow
from search.study.trial import Status

Floats = npt.NDArray[np.float64]
Key = tuple[int, int]  # search seed and repeat
Cells = dict[str, dict[Key, float]]  # by arm and block


class Score(StrEnum):
    """What a gain is measured on. A gain on VALIDATION is the sum of one on UNSEEN, OVERFIT and OTHER_TEXT.

    Gains scale with a text's difficulty. So the gain on the validation text is taken times the stock's score on unseen text
    over that on the validation text: OVERFIT is what that exceeds the gain on unseen text by, and OTHER_TEXT is the rest.
    """

    UNSEEN = "unseen"
    VALIDATION = "validation"
    OVERFIT = "overfit"
    OTHER_TEXT = "other text"
    SPEED = "speed"  # logarithm of tokens per second; more is better


@dataclass(frozen=True)
class StockScores:
    """The stock's mean scores in the confirmation, in bits per byte: on the validation text, and on unseen text."""

    validation: float
    unseen: float

    @property
    def ratio(self) -> float:
        """How hard unseen text is, in multiples of the validation text. Taken as known: both are scores of the same runs."""
        return self.unseen / self.validation


@dataclass(frozen=True)
class Blocks:
    """`gains`: stock minus arm, both trained on one seed and side by side; for SPEED, arm minus stock. `failed`: blocks in
    which an arm failed and the stock did not. `probe`: what scores were adjusted by. `stock`: its scores on both texts, None
    without any. `ablated`: arms that are nobody's proposal, but a winner without a step."""

    gains: Mapping[Score, Cells]
    failed: Mapping[str, frozenset[Key]]
    probe: probe.Effect | None
    stock: StockScores | None = None
    ablated: frozenset[str] = frozenset()

    def series(self, weights: Mapping[str, float], score: Score, search_seed: int) -> Floats:
        """A linear combination of arms' gains in each block of a search seed that has all of them, by repeat. The stock's
        gain is 0."""
        cells = self.gains[score]
        arms = {arm: weight for arm, weight in weights.items() if arm != STOCK}
        keys = [{key for key in cells.get(arm, {}) if key[0] == search_seed} for arm in arms]
        common = sorted(set.intersection(*keys)) if keys else []
        return np.array([sum(weight * cells[arm][key] for arm, weight in arms.items()) for key in common], dtype=float)

    def failures(self, arms: Iterable[str], search_seed: int) -> int:
        """In how many blocks one of these arms failed where the stock did not."""
        return len({key for arm in arms for key in self.failed.get(arm, ()) if key[0] == search_seed})

    @cached_property
    def worst(self) -> float:
        """What a program gains that fails where the stock trains well: the worst that any proposal does, or nothing."""
        proposed = (cells for arm, cells in self.gains[Score.UNSEEN].items() if arm not in self.ablated)
        return min([0.0, *(gain for cells in proposed for gain in cells.values())])


def counts(row: TrialRow) -> bool:
    """Whether a repeat has scores that count."""
    return row.status == Status.COMPLETED and row.audited and row.confirmation_bpb is not None


def blocks_of(table: ConfirmationTable) -> Blocks:
    rows = [row for row in table.rows if row.stage == REPORT]
    visits = list(_visits(rows))
    effect = probe.effect_of([row for _, visit in visits if _is_probed(visit) for row in visit if counts(row)])
    both = _stock_scores(rows)
    gains: dict[Score, Cells] = {score: defaultdict(dict) for score in Score}
    failed: dict[str, set[Key]] = defaultdict(set)
    for key, visit in visits:
        adjusted = effect if _is_probed(visit) else None
        runs = [row for row in visit if row.arm == STOCK and counts(row)]
        if not runs or both is None:
            continue  # the machine's failure, or the seed's
        known = [_scores(row, adjusted, both.ratio) for row in runs]
        stock = {score: fmean([run[score] for run in known if score in run]) for score in set().union(*known)}
        for row in (row for row in visit if row.arm != STOCK):
            assert row.arm is not None
            if not counts(row):
                failed[row.arm].add(key)
                continue
            for score, value in _scores(row, adjusted, both.ratio).items():
                if score in stock:
                    gains[score][row.arm][key] = stock[score] - value
    steps = {step.arm for study in table.studies.values() for step in study.steps if step.arm is not None}
    return Blocks(gains, {arm: frozenset(keys) for arm, keys in failed.items()}, effect, both, frozenset(steps))


def _is_probed(visit: Iterable[TrialRow]) -> bool:
    return all(probe.speed_of(row) is not None for row in visit if counts(row))


def _stock_scores(rows: Iterable[TrialRow]) -> StockScores | None:
    found = [(row.val_bpb, row.confirmation_bpb) for row in rows if row.arm == STOCK and counts(row)]
    return StockScores(*map(float, np.mean(np.array(found, dtype=float), axis=0))) if found else None


def _visits(rows: Iterable[TrialRow]) -> Iterable[tuple[Key, list[TrialRow]]]:
    """Runs that were trained side by side on one training seed."""
    found: dict[tuple[int, int, int], list[TrialRow]] = defaultdict(list)
    for row in rows:
        assert row.search_seed is not None and row.repeat is not None and row.visit is not None
        found[row.search_seed, row.repeat, row.visit].append(row)
    return (((search_seed, repeat), visit) for (search_seed, repeat, _), visit in sorted(found.items()))


def _scores(row: TrialRow, effect: probe.Effect | None, ratio: float) -> dict[Score, float]:
    """`ratio`: how hard unseen text is, in multiples of the validation text."""
    assert row.val_bpb is not None and row.confirmation_bpb is not None
    slower = 0.0 if effect is None else effect.of(row)
    validation, unseen = row.val_bpb - slower, row.confirmation_bpb - slower
    scores = {
        Score.UNSEEN: unseen,
        Score.VALIDATION: validation,
        Score.OVERFIT: ratio * validation - unseen,
        Score.OTHER_TEXT: (1 - ratio) * validation,
    }
    return {**scores, Score.SPEED: -np.log(row.tokens_per_second)} if row.tokens_per_second else scores
