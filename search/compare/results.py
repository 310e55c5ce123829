"""What a comparison finds: frozen values that the report and the pictures are made of.

Scores are bits per byte, lower is better. Gains and advantages are differences of them, positive where something is better.
Intervals are two-sided at 95 %. None stands where a number is not known, and never for zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from search.compare.tables import Scalar

ALPHA = 0.05  # chance of a false claim that every test allows
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and interval, which are None where there are too few repeats to tell.

    `by_definition`: it is not estimated (tuning is exactly 0 where no constant was changed).
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    by_definition: bool = False


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its chi-square interval. `degrees`: of freedom."""

    sd: float
    low: float
    high: float
    degrees: int


@dataclass(frozen=True)
class Missing:
    """What is not there yet, in words, and the command that adds it."""

    what: str
    command: str


# ---- noise ----


@dataclass(frozen=True)
class ControlStudy:
    """One study of the control. `mean` and `sd` are None where it has too few scores."""

    study: str
    trials: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class ControlNoise:
    """The noise floor: scores of the stock under fresh training seeds, all search seeds of the control together."""

    trials: int
    failures: int
    mean: Estimate
    sd: Spread | None
    studies: tuple[ControlStudy, ...]


@dataclass(frozen=True)
class SameSeed:
    """Spread of the stock when it is trained again with the same training seed.

    `within_studies`: hours apart at most (stock and anchors). `across_studies`: also between studies, which may have run on
    other days or machines.
    """

    within_studies: Spread | None
    across_studies: Spread | None


@dataclass(frozen=True)
class Drift:
    """How the stock's score moved during one study. `slope`: bits per byte and hour, positive where it became worse.
    `p`: two-sided. `runs`: the stock and its anchors that have a score."""

    study: str
    runs: int
    hours: float
    slope: Estimate
    p: float | None


@dataclass(frozen=True)
class TokensSeen:
    """How much of the noise the number of tokens seen explains, within repeats of one candidate only.

    `repeats`: "fresh seeds" or "same seed". `slope`: bits per byte for 1 % more tokens. `r_squared`: share of the variance.
    """

    repeats: str
    candidates: int
    trials: int
    r_squared: float
    slope: float
    sd_left: float


@dataclass(frozen=True)
class NullBand:
    """What the best of n draws of the unchanged stock looks like: luck alone. Not subtracted from anybody.

    Parallel tuples over `n`. `low`, `median`, `high`: its quantiles at 5, 50 and 95 %. From the first n beyond
    `measured_to` on, values are extrapolated: order statistics of a normal distribution with the control's mean and sd.
    """

    control_trials: int
    measured_to: int
    n: tuple[int, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Noise:
    """`remarks`: what could not be said, and why."""

    control: ControlNoise | None
    same_seed: SameSeed
    drift: tuple[Drift, ...]
    tokens: tuple[TokensSeen, ...]
    null_band: NullBand | None
    remarks: tuple[str, ...]


# ---- confirmation and gains ----


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
class Confirmation:
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

    `luck`: confirmed minus search score of the winner. `stock_shift`: stock's mean during the searches minus its confirmed
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
    """What the confirmation says of one winner. `gain` is the headline; it is on text that no search has seen.

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
    """Means over the searches of one strategy; intervals are over searches, with what they share counted once.

    The parts are None where no search of it has them. `shown`: searches whose confirmed gain is shown.
    """

    strategy: str
    searches: int
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


# ---- headline ----


@dataclass(frozen=True)
class Pair:
    """Two searches of one search seed: confirmed scores (means over repeats, confirmation split)."""

    search_seed: int
    first: float
    second: float


@dataclass(frozen=True)
class Needed:
    """What would settle an open contrast, were the true difference the one seen, with power 80 %.

    `searches`, `repeats`: in all, either alone; None where that alone cannot (or beyond 10,000). `detectable`: the smallest
    difference that the present numbers show with that power.
    """

    searches: int | None
    repeats: int | None
    detectable: float | None


@dataclass(frozen=True)
class Contrast:
    """Is `first` better than `second`? `advantage`: mean of second minus first, positive where the first is better.

    `verdict`: "shown", "reverse shown" (second is better), "not shown" or "not stated" (then `missing` says why and how to
    mend it, and every number may be None). `p`: one-sided; `p_holm`: over the headline family; `p_reverse*`: the same for
    the other direction, which has a family of its own. `method`: "sign-flip permutation", or "t, shared programs" where
    searches ended with one and the same program, whose error they share. `wins`: P(first beats second), with an exact
    interval. `looks`: at how many plans it could have been stated; the verdict asks for p_holm * looks < 0.05.
    """

    first: str
    second: str
    verdict: str
    method: str
    budget: str
    looks: int
    pairs: tuple[Pair, ...]
    advantage: Estimate | None
    p: float | None
    p_holm: float | None
    p_reverse: float | None
    p_reverse_holm: float | None
    wins: Estimate | None
    needed: Needed | None
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...]


# ---- reliability and curves ----


@dataclass(frozen=True)
class Changes:
    """Trials that changed constants only, code only, or both, against their parent; of those, how many were kept."""

    constants: int
    code: int
    both: int
    constants_kept: int
    code_kept: int
    both_kept: int


@dataclass(frozen=True)
class Reliability:
    """How one strategy's trials went, all its searches together, anchors left out.

    `statuses`: trials by how they ended. `seconds`: by phase of a trial. `other_seconds`: from start to end of trials, less
    all phases; waiting for a busy device is in it, and is not recorded by itself. `llm_*`: None where no LLM was asked or
    where it is unknown. `llm_share`: of LLM seconds plus trial seconds.
    """

    strategy: str
    searches: int
    trials: int
    statuses: dict[str, int]
    failed_share: float
    unusable_share: float
    duplicates: int
    out_of_memory_share: float
    seconds: dict[str, float]
    other_seconds: float
    train_hours: float
    llm_seconds: float | None
    llm_share: float | None
    llm_usd: float | None
    llm_calls: int | None
    changes: Changes
    flags: dict[str, int]


@dataclass(frozen=True)
class StudyCurve:
    """Parallel tuples over the trials that count against the budget. `hours`, `usd`: used when the trial had ended (anchors
    cost hours too; `usd` is None where it is unknown). `score`: None where a trial has none that may win. `best`: so far."""

    study: str
    strategy: str
    search_seed: int
    trial: tuple[int, ...]
    hours: tuple[float, ...]
    usd: tuple[float, ...] | None
    score: tuple[float | None, ...]
    best: tuple[float | None, ...]


@dataclass(frozen=True)
class MedianCurve:
    """Median of best-so-far over the searches of one strategy, as far as all of them reach. `axis`: trials, hours or usd."""

    strategy: str
    axis: str
    searches: int
    x: tuple[float, ...]
    best: tuple[float, ...]


# ---- all together ----


@dataclass(frozen=True)
class Analysis:
    """All that a report says. `verdict`: a few plain sentences. `cautions`: what a reader should know before believing it.
    `missing`: what the minima of a stated contrast lack, with commands."""

    schema: int
    experiment: str
    task: str
    task_facts: dict[str, Any]
    task_fingerprint: str
    noise: Noise
    confirmation: Confirmation | None
    studies: tuple[StudyResult, ...]
    strategies: tuple[StrategyResult, ...]
    headline: tuple[Contrast, ...]
    reliability: tuple[Reliability, ...]
    curves: tuple[StudyCurve, ...]
    medians: tuple[MedianCurve, ...]
    missing: tuple[Missing, ...]
    cautions: tuple[str, ...]
    verdict: tuple[str, ...]
