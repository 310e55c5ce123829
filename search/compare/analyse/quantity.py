"""Quantities: linear combinations of arms and scores, in each block that measures them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from search.compare.analyse.blocks import Blocks, Floats, Score, blocks_of
from search.compare.analyse.finding import Estimate, Look, Name
from search.compare.analyse.intervals import Variance, estimated, moderated, variance_of
from search.compare.analyse.looks import look_at
from search.compare.analyse.noise import Noise, noise_of
from search.compare.analyse.reference import Reference, reference_of
from search.compare.read.tables import STOCK, Arm, Experiment, Planned, StudyTable, TrialRow


@dataclass(frozen=True)
class Evidence:
    """What all findings are computed from."""

    experiment: Experiment
    noise: Noise
    blocks: Blocks

    @property
    def planned(self) -> Mapping[str, Planned]:
        return self.experiment.confirmation.studies

    def look(self, groups: Sequence[Sequence[StudyTable]], repeats: int, fewest: int) -> Look:
        """The look at what so many studies of each group say."""
        identities = [{study.identity for study in group} for group in groups]
        return look_at(self.experiment.confirmation.plans, identities, repeats, fewest)


def evidence_of(experiment: Experiment) -> Evidence:
    return Evidence(experiment, noise_of(experiment), blocks_of(experiment.confirmation))


@dataclass(frozen=True)
class Quantity:
    """A linear combination of a study's scores: a constant, known to `reference`'s variance, and weighted gains of arms in
    blocks. Without weights it is what it is by definition."""

    name: Name
    study: StudyTable
    weights: Mapping[str, float]
    score: Score
    constant: float = 0.0
    reference: Reference | None = None
    at: int | None = None


@dataclass(frozen=True)
class Measured:
    """A quantity, in each of its study's blocks in which no arm of it failed [repeats]. `failures`: in how many one did and
    the stock did not. A program that does so gains nothing: `worst`."""

    quantity: Quantity
    values: Floats
    failures: int = 0
    worst: float = 0.0
    alike: tuple[Variance, ...] = ()  # of one block, where the same is measured of others

    @property
    def blocks(self) -> int:
        """In which it was tried."""
        return len(self.values) + self.failures

    @property
    def failed(self) -> bool:
        """Whether its value is what a failure counts as."""
        return self.failures > 0 and self.quantity.name in (Name.GAIN, Name.TUNING)

    @cached_property
    def value(self) -> float:
        if self.failed:
            return self.worst
        return self.quantity.constant + (float(np.mean(self.values)) if len(self.values) else 0.0)

    @cached_property
    def spread(self) -> Variance | None:
        """Variance of one block; None for fewer than two."""
        return variance_of(self.values)

    @cached_property
    def variance(self) -> Variance | None:
        """Of the value; None where it is unknown."""
        reference = self.quantity.reference
        known = None if reference is None else reference.variance
        if not self.quantity.weights:
            return known
        if self.failed or self.spread is None or (reference is not None and known is None):
            return None
        repeats = moderated(self.spread, self.alike).over(len(self.values))
        return repeats if known is None else repeats + known

    @cached_property
    def estimate(self) -> Estimate:
        reference, variance = self.quantity.reference, self.variance
        if not self.quantity.weights and reference is None:
            return Estimate(self.value, 0.0, self.value, self.value, by_definition=True)
        return estimated(self.value, variance)


def measured_of(evidence: Evidence) -> list[Measured]:
    """Every quantity of every study that can be computed, with the noise of others like it."""
    found = [
        measured
        for study in evidence.experiment.studies
        for quantity in quantities_of(study, evidence)
        if (measured := measure(quantity, evidence.blocks)) is not None
    ]
    same: dict[Hashable, list[Measured]] = defaultdict(list)  # programs of other strategies may be noisier
    for measured in found:
        same[_family(measured)].append(measured)
    return [beside(measured, same[_family(measured)]) for measured in found]


def beside(measured: Measured, others: Iterable[Measured]) -> Measured:
    """With the noise of others like it, itself among them."""
    variances = (other.spread for other in others if other.quantity.weights)
    return replace(measured, alike=tuple(variance for variance in variances if variance is not None))


def measure(quantity: Quantity, blocks: Blocks) -> Measured | None:
    """None where the confirmation has not measured it yet."""
    if not quantity.weights:
        return Measured(quantity, np.zeros(0))
    values = blocks.series(quantity.weights, quantity.score, quantity.study.search_seed)
    failures = blocks.failures(quantity.weights, quantity.study.search_seed)
    measured = Measured(quantity, values, failures, blocks.worst)
    if quantity.name is Name.LUCK and failures:  # a failure is no bad luck
        return None
    return measured if len(values) or measured.failed else None


def quantities_of(study: StudyTable, evidence: Evidence) -> Iterator[Quantity]:
    planned = evidence.planned.get(study.identity)
    winner = winner_of_record(study, planned)
    if winner is None or winner.score is None:
        return
    reference = reference_of(study, winner, evidence.noise)
    claimed = 0.0 if reference is None else reference.value - winner.score
    if winner.kind_from_stock == "none" and not study.is_control:
        reference, claimed = None, 0.0  # who keeps the stock claims nothing
        yield Quantity(Name.CLAIMED, study, {}, Score.VALIDATION)
    elif reference is not None:
        yield Quantity(Name.CLAIMED, study, {}, Score.VALIDATION, claimed, reference)
    if planned is None:
        return
    program = weights_of(planned.winner)
    constants = program if planned.constants is None else weights_of(planned.constants)
    if reference is not None or not program:
        minus = {arm: -weight for arm, weight in program.items()}
        yield Quantity(Name.LUCK, study, minus, Score.VALIDATION, claimed, reference)
    yield Quantity(Name.OTHER_TEXT, study, program, Score.OTHER_TEXT)
    yield Quantity(Name.OVERFITTING, study, program, Score.OVERFIT)
    yield Quantity(Name.GAIN, study, program, Score.UNSEEN)
    yield Quantity(Name.TUNING, study, constants, Score.UNSEEN)
    yield Quantity(Name.CODE, study, difference(program, constants), Score.UNSEEN)
    yield Quantity(Name.SPEED, study, program, Score.SPEED)
    for trials, arm in planned.at.items():
        yield Quantity(Name.GAIN, study, weights_of(arm), Score.UNSEEN, at=trials)


def winner_of_record(study: StudyTable, planned: Planned | None) -> TrialRow | None:
    """The one that was confirmed, or else the study's winner."""
    if planned is None:
        return study.winner
    return next((row for row in study.trials if row.number == planned.winner.trial and row.score is not None), None)


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    weights = {arm: first.get(arm, 0.0) - second.get(arm, 0.0) for arm in {*first, *second}}
    return {arm: weight for arm, weight in weights.items() if weight}


def weights_of(arm: Arm | str) -> dict[str, float]:
    name = arm if isinstance(arm, str) else arm.name
    return {} if name == STOCK else {name: 1.0}


def _family(measured: Measured) -> Hashable:
    quantity = measured.quantity
    return quantity.name, quantity.at, quantity.study.strategy
