"""Plain tuning: Optuna proposes values for the stock's constants. An agent has to beat this."""

from __future__ import annotations

import inspect
import pkgutil
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from hydra.utils import instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from search.strategy import Candidate, DimensionConfig, NoiseFloor, Outcome, Status, TaskFacts, Trial, UserError, source

FAILURES = ("constraint", "worst", "ignore")


class OptunaSearch:
    """Ask and tell through Optuna's own sampler. The stock is the first trial of every sampler, and the starting point
    (`x0`) of a sampler that has one. A running trial is also a running trial in Optuna, which every sampler treats in
    its own way (TPE with `constant_liar` as a failure).

    `space`: the constants to set. `sampler`: a `_target_` node of an Optuna sampler, built with the search seed.
    `failure`: what the sampler is told about a trial without a score, whatever its status. `constraint`: it violates a
    constraint, so it is worse than every trial with a score. `worst`: the worst score so far, for samplers without
    constraints; nothing while the stock's is the worst, since a failure must never count as being as good as the stock.
    `ignore`: nothing. Optuna has a state of its own for pruned trials.

    Resuming asks and tells everything again with a sampler of the same seed: exact for every sampler, stateful ones too.
    """

    def __init__(
        self,
        task: TaskFacts,
        seed: int,
        space: Mapping[str, DimensionConfig],
        sampler: Mapping[str, Any],
        failure: str,
    ) -> None:
        if failure not in FAILURES:
            raise UserError(f"strategy.failure={failure}: choose {' or '.join(FAILURES)}")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.stock = task.stock
        self.failure = failure
        self.dimensions = dict(space)
        self.distributions = {name: _distribution(dimension) for name, dimension in self.dimensions.items()}
        stock = self._stock_point()
        with warnings.catch_warnings():  # Optuna calls QMCSampler experimental since 2022
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)  # it is to lose `x0` with version 6
            self.study = optuna.create_study(sampler=instantiate(sampler, seed=seed, **_beginning(sampler, stock)))
        self.study.enqueue_trial(stock)
        self.asked = {0: self.study.ask(self.distributions)}  # Optuna's trials by the numbers of ours
        self.scores: dict[int, float] = {}

    def ask(self, history: Sequence[Trial], pending: Mapping[int, Candidate], noise_floor: NoiseFloor | None) -> Candidate:
        asked = self.asked[len(history) + len(pending)] = self.study.ask(self.distributions)
        params = {name: _value(dimension, asked.params[name]) for name, dimension in self.dimensions.items()}
        text = source.set_constants(self.stock, params)
        changed = source.change(self.stock, text).constants
        note = ", ".join(f"{name}={_short(after)}" for name, (_, after) in changed.items())
        return Candidate(text, parent=0, params=params, note=note or "the stock's own constants")

    def tell(self, trial: Trial) -> None:
        asked, score = self.asked.pop(trial.number), trial.val_bpb
        if score is not None:
            self.scores[trial.number] = score
        if self.failure == "constraint":
            failed = score is None and trial.status is not Status.PRUNED
            asked.set_constraint("failed", 1.0 if failed else -1.0)
        if trial.status is Status.PRUNED:
            self._tell_pruned(asked, trial.outcome)
            return
        told = self._in_place_of_a_score() if score is None else score
        self.study.tell(asked, told, state=TrialState.FAIL if told is None else TrialState.COMPLETE)

    def _in_place_of_a_score(self) -> float | None:
        """The value of a failed trial; None: it has none."""
        worst = max(self.scores.values(), default=None)
        if self.failure == "worst" and worst == self.scores.get(0):
            return None
        return None if self.failure == "ignore" else worst

    def _tell_pruned(self, asked: optuna.Trial, outcome: Outcome) -> None:
        """As Optuna does: TPE ranks such trials behind the completed ones, by how far they came and their loss."""
        if outcome.pruned_at is not None and outcome.losses:
            asked.report(outcome.losses[-1].loss, round(100 * outcome.pruned_at))
        self.study.tell(asked, state=TrialState.PRUNED)

    def _stock_point(self) -> dict[str, Any]:
        """Where the stock lies in the space. Raises UserError if the space names a constant that it lacks, or leaves out
        the value that it has."""
        values = source.constants(self.stock)
        point = {}
        for name, dimension in self.dimensions.items():
            if name not in values:
                raise UserError(f"space.{name}: the start file has no constant of that name; it has {', '.join(values)}")
            point[name] = _coordinate(dimension, values[name])
            if not _holds(self.distributions[name], point[name]):
                raise UserError(
                    f"space.{name}: does not hold the stock's own value {values[name]} (the task may have set it, or "
                    f"the GPU's memory); widen it, or leave it out with '~space.{name}'"
                )
        return point


def _beginning(sampler: Mapping[str, Any], stock: dict[str, Any]) -> dict[str, Any]:
    """The argument of a sampler that begins at a point; it is not asked to where its YAML names another."""
    takes = inspect.signature(pkgutil.resolve_name(sampler["_target_"])).parameters
    return {"x0": stock} if "x0" in takes and "x0" not in sampler else {}


def _distribution(dimension: DimensionConfig) -> BaseDistribution:
    if dimension.kind == "choice":
        assert dimension.values is not None
        return CategoricalDistribution(dimension.values)
    assert dimension.low is not None and dimension.high is not None
    if dimension.kind == "int":
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    if dimension.kind == "power_of_two":
        return IntDistribution(int(dimension.low).bit_length() - 1, int(dimension.high).bit_length() - 1)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _holds(distribution: BaseDistribution, coordinate: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return coordinate in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return isinstance(coordinate, int | float) and distribution.low <= coordinate <= distribution.high


def _value(dimension: DimensionConfig, coordinate: Any) -> Any:
    """The constant's value at a coordinate: the exponent, for a power of two."""
    return 2**coordinate if dimension.kind == "power_of_two" else coordinate


def _coordinate(dimension: DimensionConfig, value: Any) -> Any:
    """The inverse of `_value`. None for a number that is not a power of two: it has no coordinate."""
    if dimension.kind != "power_of_two":
        return value
    return value.bit_length() - 1 if isinstance(value, int) and value > 0 and value.bit_count() == 1 else None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
