"""What the machine did: drift and shifts of the stock's score and speed, and signs of a machine that was held back."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.compare.analyse.blocks import counts
from search.compare.analyse.finding import ALPHA, Finding, Name, Scope, Verdict
from search.compare.analyse.intervals import Variance, estimated, tested, variance_of
from search.compare.analyse.noise import Noise, control_runs, control_scores, score_of, stock_runs
from search.compare.read.tables import REPORT, STOCK, Experiment, TrialRow
from search.study.trial import Status

STUDIES, CONFIRMATION = "the studies", "the confirmation"
LEAST_HOURS = 1.0  # that the stock was seen for; from less, a drift per hour would be extrapolation
APART = 0.02  # logarithm of the stock's speed against the control's, beyond which it is said; assumed


@dataclass(frozen=True)
class Move:
    """By how much the machine moved between two occasions, or over one: `bpb` is positive where the stock got worse."""

    what: str
    bpb: float


def machine_findings(experiment: Experiment) -> Iterator[Finding]:
    """Drift in studies and in the confirmation, and the stock's shift between control and confirmation. With budgets in
    tokens, a score does not depend on the machine's speed: nothing drifts, and a shift is what other seeds do."""
    if in_tokens(experiment.task_facts):
        return (finding for finding in (_shift(experiment),) if finding is not None)
    drifts = _drift(STUDIES, _anchors(experiment)), _drift(CONFIRMATION, [_confirmed(experiment)])
    return (finding for finding in (*drifts, _shift(experiment)) if finding is not None)


def in_tokens(task_facts: Mapping[str, Any]) -> bool:
    """Whether a training run's budget is a number of tokens, however long they take."""
    return bool(task_facts.get("budget", {}).get("tokens"))


def moves(experiment: Experiment, findings: Sequence[Finding], noise: Noise) -> list[Move]:
    """Where the machine shifted the stock's score by more than the noise floor, and that is shown: the largest first."""
    if noise.sd is None or in_tokens(experiment.task_facts):
        return []
    found = []
    for finding in findings:
        if finding.scope is not Scope.MACHINE or finding.estimate is None or finding.verdict is Verdict.NOT_SHOWN:
            continue
        value, what = finding.estimate.value, "from the control to the confirmation"
        if finding.name is Name.DRIFT:
            hours = _hours(_anchors(experiment) if finding.subject == STUDIES else [_confirmed(experiment)])
            value, what = value * hours, f"over {hours:.1f} hours of {finding.subject}"
        if abs(value) > noise.sd.sd:
            found.append(Move(what, value))
    return sorted(found, key=lambda move: -abs(move.bpb))


def speed_shifts(experiment: Experiment) -> list[tuple[str, float]]:
    """Studies (and the confirmation) whose stock trained at another speed than the control, as ratios of it."""
    control = _log_speed(control_runs(experiment))
    if control is None:
        return []
    occasions = [(study.identity, stock_runs(study)) for study in experiment.studies if not study.is_control]
    occasions.append((CONFIRMATION, confirmed_stock(experiment)))
    speeds = [(name, speed - control) for name, runs in occasions if (speed := _log_speed(runs)) is not None]
    return [(name, math.exp(apart)) for name, apart in speeds if abs(apart) > APART]


# Signs of a machine that did not give a trial all it could, in its telemetry. The bounds are assumed.
SLOWED = "on a GPU that was slowed down (by heat or a power limit) for more than 5 % of the time"
SHARED = "with less than 90 % of its cores' time (something else had the rest, or it waited)"
SIGNS: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("throttled_share", lambda share: share > 0.05, SLOWED),
    ("cpu_share", lambda share: share < 0.9, SHARED),
)


def held_back(experiment: Experiment) -> Iterator[tuple[str, int, int]]:
    """Of each sign: words, how many completed trials show it, and of how many that recorded it."""
    rows = [row for study in experiment.studies for row in study.rows if row.status == Status.COMPLETED]
    for name, shows, words in SIGNS:
        values = [row.telemetry[name] for row in rows if name in row.telemetry]
        if seen := sum(map(shows, values)):
            yield words, seen, len(values)


Points = list[tuple[float, float]]  # hours since the epoch, and scores


def _anchors(experiment: Experiment) -> list[Points]:
    """Of each study, which has one training seed."""
    return [[(row.started / 3600, score_of(row)) for row in stock_runs(study)] for study in experiment.studies]


def confirmed_stock(experiment: Experiment) -> list[TrialRow]:
    """The stock's runs in the confirmation that have scores that count."""
    return [row for row in experiment.confirmation.rows if row.arm == STOCK and row.stage == REPORT and counts(row)]


def _confirmed(experiment: Experiment) -> Points:
    """The mean of each training seed's runs: seeds come in random order."""
    found: dict[int, Points] = defaultdict(list)
    for row in confirmed_stock(experiment):
        found[row.training_seed].append((row.started / 3600, score_of(row)))
    return [(float(hours), float(score)) for hours, score in (np.mean(points, axis=0) for points in found.values())]


def _hours(groups: Sequence[Points]) -> float:
    """The longest time that one of the groups covers."""
    return max(max(group)[0] - min(group)[0] for group in groups if group)


def _drift(subject: str, groups: Sequence[Points]) -> Finding | None:
    """One slope of scores against time for all groups, each against its own mean; None where too little is known, or where
    they cover too short a time."""
    known = [group for group in groups if len(group) > 1]
    degrees = sum(len(group) - 1 for group in known) - 1
    hours = np.concatenate([_deviations([time for time, _ in group]) for group in known] or [np.zeros(0)])
    worse = np.concatenate([_deviations([score for _, score in group]) for group in known] or [np.zeros(0)])
    seen = sum(max(group)[0] - min(group)[0] for group in known)
    if degrees < 1 or seen < LEAST_HOURS or not np.any(hours) or not np.any(worse):
        return None
    slope = float(hours @ worse / (hours @ hours))
    variance = float(np.sum((worse - slope * hours) ** 2)) / degrees / float(hours @ hours)
    return _tested(Name.DRIFT, subject, slope, Variance(variance, degrees), sum(len(group) for group in known))


def _shift(experiment: Experiment) -> Finding | None:
    before = control_scores(experiment)
    after = [score for _, score in _confirmed(experiment)]
    first, second = variance_of(before), variance_of(after)
    if first is None or second is None:
        return None
    variance = first.over(len(before)) + second.over(len(after))
    return _tested(Name.SHIFT, CONFIRMATION, float(np.mean(after) - np.mean(before)), variance, len(after))


def _tested(name: Name, subject: str, value: float, variance: Variance, runs: int) -> Finding:
    worse, better = tested(value, variance)
    p = 1.0 if worse is None or better is None else 2 * min(worse, better)
    return Finding(
        scope=Scope.MACHINE,
        name=name,
        subject=subject,
        estimate=estimated(value, variance),
        p=p,
        verdict=Verdict.SHOWN if p < ALPHA else Verdict.NOT_SHOWN,
        method="t, two-sided",
        repeats=runs,
    )


def _log_speed(rows: Sequence[TrialRow]) -> float | None:
    speeds = [math.log(row.tokens_per_second) for row in rows if row.tokens_per_second]
    return float(np.mean(speeds)) if speeds else None


def _deviations(values: Sequence[float]) -> np.ndarray:
    return np.asarray(values, dtype=float) - np.mean(values)
