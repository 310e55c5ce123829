"""Results of the confirmation and of each study."""

from __future__ import annotations

from dataclasses import dataclass

from search.compare.analyse.results.values import Estimate, Missing
from search.compare.read.tables import Scalar


@dataclass(frozen=True)
class Arm:
    """One program of the confirmation. Scores of its completed and audited repeats, in the order of repeats."""

    name: str
    repeats: tuple[int, ...]
    validation: tuple[float, ...]
    confirmation: tuple[float, ...]


@dataclass(frozen=True)
class FailedRepeat:
    """A repeat without a score that counts."""

    arm: str
    repeat: int
    status: str
    reason: str


@dataclass(frozen=True)
class ConfirmationFacts:
    """`planned`: repeats fixed at the first confirmation. `looks`: how often the plan was made or extended."""

    planned: int
    repeats: int
    top: int
    looks: int
    arms: tuple[Arm, ...]
    failed: tuple[FailedRepeat, ...]
    unfinished: int  # repeats that are planned and not run yet


@dataclass(frozen=True)
class Gain:
    """Stock minus winner, on fresh training seeds. `p`: one-sided Welch, that the winner is no better than the stock; None
    where the winner is the stock or repeats are too few."""

    estimate: Estimate
    p: float | None


@dataclass(frozen=True)
class ConstantChange:
    """A constant that the winner changed. `stock` is None where the record does not hold it."""

    name: str
    stock: Scalar
    winner: Scalar


@dataclass(frozen=True)
class Edit:
    """One step on the way from the stock to the winner. `kind`: of the change against the step before."""

    trial: int
    note: str
    kind: str | None
    val_bpb: float | None


@dataclass(frozen=True)
class Decomposition:
    """claimed = luck + stock_shift + tuning + code_and_interaction, all on validation.

    `luck`: confirmed minus search score of the winner. `stock_shift`: stock's mean during the studies minus its confirmed
    mean (drift, other hours, and the noise of both). `tuning`: stock minus the winner's constants in the stock's code.
    `code_and_interaction`: those constants minus the winner.
    """

    claimed: float
    luck: Estimate
    stock_shift: Estimate
    tuning: Estimate
    code_and_interaction: Estimate


@dataclass(frozen=True)
class Confirmed:
    """What the confirmation says of one winner. `gain` is the headline; it is on text that no study has seen.

    `overfitting`: gain on validation minus gain on the confirmation split. `shown`: p * looks < 0.05 and enough repeats.
    `p_as_planned`: of the gain, from the first plan's repeats only; None where no plan extended it.
    `missing`: why nothing is stated. `better_since`: a trial that beat the winner after the plan was made.
    """

    arm: str
    repeats: int
    stock_repeats: int
    looks: int
    gain: Gain
    gain_on_validation: Gain
    overfitting: Estimate
    decomposition: Decomposition | None
    p_as_planned: float | None
    shown: bool
    missing: tuple[Missing, ...]
    better_since: int | None


@dataclass(frozen=True)
class StudyResult:
    """One study: what it claims, and what is left of it. `confirmed` is None where the claim is unconfirmed.

    `trials` count against the budget (anchors do not); `scored` of them have a score. `stock` is the mean that the claim is
    measured from; `stock_from`: "control", or "own stock" where there is no control. `null_*`: the best of as many draws of
    the stock; None without a control. `edits` lead from the stock to the winner.
    """

    study: str
    strategy: str
    search_seed: int
    trials: int
    scored: int
    winner: int | None
    search_score: float | None
    stock: float | None
    stock_from: str
    claimed: float | None
    null_expected: float | None
    null_low: float | None
    null_extrapolated: bool
    kind: str | None
    constants: tuple[ConstantChange, ...]
    left_in_code: tuple[str, ...]
    edits: tuple[Edit, ...]
    confirmed: Confirmed | None


@dataclass(frozen=True)
class StrategyResult:
    """Means over the studies of one strategy; intervals are over studies, with what they share counted once.

    The parts are None where no study of it has them. `shown`: studies whose confirmed gain is shown.
    """

    strategy: str
    studies: int
    confirmed: int
    shown: int
    claimed: Estimate | None
    gain: Estimate | None
    gain_on_validation: Estimate | None
    overfitting: Estimate | None
    luck: Estimate | None
    stock_shift: Estimate | None
    tuning: Estimate | None
    code_and_interaction: Estimate | None
