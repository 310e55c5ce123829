"""The one currency of a comparison. A report, its pictures, the terminal and MLflow are views of a table of findings.

Scores are bits per byte, lower is better. Gains and advantages are differences of them, positive where something is better.
Intervals are two-sided at 95 %, of the same t or permutation as the test. None stands where a number is not known, and never
for zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

ALPHA = 0.05  # chance of a false claim that every one-sided test allows, all its looks together
CONFIDENCE = 0.95
REVERSED = (1 - CONFIDENCE) / 2  # of the side that nobody claims: the whole interval is then below zero


class Scope(StrEnum):
    """Whom a finding is about."""

    PROGRAM = "program"  # one study's winner
    STEP = "step"  # one edit that was kept on the way to a study's winner
    STRATEGY = "strategy"  # what a strategy finds in a typical study
    PROGRAMS = "programs"  # one study's winner against another's, of one search seed
    STRATEGIES = "strategies"  # one strategy against another
    CLAIM = "claim"  # one strategy against every baseline
    MACHINE = "machine"
    TRANSFER = "transfer"  # all winners of an experiment, on another task


class Name(StrEnum):
    """What is measured. All but the machine's are in bits per byte, but for SPEED, SHARE and RANKS.

    claimed = luck + other text + overfitting + gain, and gain = tuning + code.
    """

    CLAIMED = "claimed"  # the study's own stock minus the winner's search score
    LUCK = "luck"  # claimed minus the gain on the validation text
    OTHER_TEXT = "other text"  # what the gain on the validation text would lose if it kept its relative size on unseen text
    OVERFITTING = "overfitting"  # what it loses beyond that
    GAIN = "gain"  # stock minus winner, in blocks, on unseen text
    TUNING = "tuning"  # stock minus the winner's constants in the stock's code, in blocks, on unseen text
    CODE = "code and interaction"  # the rest of the gain
    STEP = "gain of the step"  # what the winner loses without it, in blocks, on unseen text
    ADVANTAGE = "advantage"  # of the first over the second, in blocks, on unseen text
    EQUIVALENCE = "equivalence"  # that an advantage is smaller, either way, than a difference that the user names
    SPEED = "speed"  # the winner's tokens per second in multiples of the stock's, in blocks; not tested
    SHARE = "share that is left"  # of a winner's gain on another task; a ratio
    RANKS = "agreement of ranks"  # of the winners' gains on two tasks; Kendall's tau
    DRIFT = "drift"  # of the stock's score, in bits per byte and hour, positive where it got worse
    SHIFT = "shift"  # of the stock's mean score from the control to the confirmation, positive where it got worse


class Verdict(StrEnum):
    SHOWN = "shown"
    REVERSE = "reverse shown"  # the opposite is: a loss, a disadvantage
    NOT_SHOWN = "not shown"
    NOT_STATED = "not stated"  # something is missing
    MEASURED = "measured"  # nothing is claimed of it


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and interval, which are None where there are too few repeats to tell.

    `by_definition`: it is not estimated (tuning is exactly 0 where no constant was changed).
    """

    value: float
    error: float | None = None
    low: float | None = None
    high: float | None = None
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
    """What is not there yet, in words, and the command that adds it; without one where none can."""

    what: str
    command: str | None


@dataclass(frozen=True)
class Look:
    """`number`: of the plan that brought what is looked at, 0 before the first; `planned`: how many there were to be.
    `level`: what p must be below."""

    number: int
    planned: int
    level: float


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    `subject`: a study's identity, or a strategy; `against`: of two, the second. `at`: the number of trials that winners were
    taken after; None for whole studies. `step`: the trial that tried the edit, where the finding is about one. `p`,
    `p_reverse`: one-sided, of the hypothesis that the quantity is not above zero, or not below, after the correction that
    `remarks` names. `look`: what p must be below, and why; None for what is tested once. `studies`, `repeats`: what it rests
    on (for two strategies, the smaller numbers). `missing`: why it is not stated.
    """

    scope: Scope
    name: Name
    subject: str
    against: str | None = None
    at: int | None = None
    step: int | None = None
    estimate: Estimate | None = None
    p: float | None = None
    p_reverse: float | None = None
    look: Look | None = None
    verdict: Verdict = Verdict.MEASURED
    method: str = ""
    studies: int = 0
    repeats: int = 0
    missing: tuple[Missing, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        return self.verdict is Verdict.SHOWN


def stated(finding: Finding, p: float | None, p_reverse: float | None = None) -> Finding:
    """The finding with its verdict: the one rule for everything that is shown. What misses something is not stated."""
    if finding.missing:
        return replace(finding, verdict=Verdict.NOT_STATED)
    verdict, level = Verdict.NOT_SHOWN, ALPHA if finding.look is None else finding.look.level
    if p is not None and p < level:
        verdict = Verdict.SHOWN
    elif p_reverse is not None and p_reverse < min(level, REVERSED):
        verdict = Verdict.REVERSE
    return replace(finding, p=p, p_reverse=p_reverse, verdict=verdict)
