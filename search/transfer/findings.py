"""A table of findings: what is left of each winner's gain on another task, and whether the winners' ranks agree
there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from scipy import stats

from search.compare.analyse.finding import CONFIDENCE, Estimate, Finding, Missing, Name, Scope, Verdict, stated
from search.compare.analyse.intervals import Variance
from search.compare.analyse.programs import program_findings
from search.compare.analyse.quantity import Measured, evidence_of, measured_of
from search.compare.read.tables import Experiment

FIELLER = "Fieller"
KENDALL = "Kendall's tau-b; interval after Fieller, Hartley and Pearson"
FEWEST_RANKED = 5  # winners: with 4 the interval of a tau has no end
PARTS = (Name.GAIN, Name.TUNING, Name.CODE)


def transfer_findings(first: Experiment, other: Experiment, refused: Mapping[str, str], again: str) -> list[Finding]:
    """Gains on the other task and their parts, the share of each gain that is left, and the agreement of ranks. `refused`:
    winners that could not be scaled, and why. `again`: the command that adds repeats."""
    before, after = (_gains(experiment) for experiment in (first, other))
    parts = [_addressed(one, again) for one in _parts(other)]
    both = [(before[name], after[name]) for name in before if name in after]
    unscaled = (
        stated(Finding(Scope.PROGRAM, Name.GAIN, name, missing=(Missing(f"{name} {why}", None),)), None)
        for name, why in refused.items()
    )
    return [*parts, *unscaled, *(_share(*pair) for pair in both), ranks_agree(both)]


def share_left(before: Measured, after: Measured) -> Estimate | None:
    """The gain on the other task in multiples of the gain on the first, with Fieller's interval (1954) for the ratio of two
    independent means. None if the first gain is not clearly above zero: no share of it then has a bound.

    We do not bootstrap over blocks: for a mean of five, a bootstrap's interval has 0.63 of the width of Student's (1.96
    times the root of 4/5, against 2.78), and it cannot show that the divisor might be zero.
    """
    if before.variance is None or after.variance is None or before.failed or after.failed or before.value <= 0:
        return None
    ratio = after.value / before.value
    # Welch and Satterthwaite's degrees of freedom, for the ratio that was found.
    joint = after.variance + Variance(before.variance.value * ratio**2, before.variance.degrees)
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, joint.degrees))
    a = before.value**2 - t**2 * before.variance.value
    b, c = before.value * after.value, after.value**2 - t**2 * after.variance.value
    if a <= 0:
        return None
    root = math.sqrt(max(0.0, b**2 - a * c))
    return Estimate(ratio, math.sqrt(joint.value) / before.value, (b - root) / a, (b + root) / a)


def _gains(experiment: Experiment) -> dict[str, Measured]:
    """By study; of winners that are not the stock."""
    measured = measured_of(evidence_of(experiment))
    mine = (one for one in measured if one.quantity.name is Name.GAIN and one.quantity.at is None and one.quantity.weights)
    return {one.quantity.study.identity: one for one in mine}


def _parts(experiment: Experiment) -> Iterator[Finding]:
    evidence = evidence_of(experiment)
    found = program_findings(evidence, measured_of(evidence))
    return (one for one in found if one.name in PARTS and one.at is None and evidence.planned.get(one.subject) is not None)


def _addressed(finding: Finding, again: str) -> Finding:
    """With the command that repeats the transfer in place of the one that repeats the confirmation."""
    missing = tuple(
        replace(one, command=again) if one.command is not None and "search.confirm" in one.command else one
        for one in finding.missing
    )
    return replace(finding, missing=missing)


def _share(before: Measured, after: Measured) -> Finding:
    finding = Finding(
        Scope.PROGRAM,
        Name.SHARE,
        after.quantity.study.identity,
        estimate=share_left(before, after),
        method=FIELLER,
        studies=1,
        repeats=min(before.blocks, after.blocks),
    )
    if finding.estimate is None:
        failed = after.failed or before.failed
        why = "repeats in which it did not fail" if failed else "a gain on the first task that is clearly above zero"
        return stated(replace(finding, missing=(Missing(f"of {finding.subject}, {why}", None),)), None)
    return finding


def ranks_agree(both: Sequence[tuple[Measured, Measured]]) -> Finding:
    """Kendall's tau of the gains on the two tasks over winners, each program once. Winners are the sample, since the
    question is about programs."""
    programs = {tuple(after.quantity.weights): (before.value, after.value) for before, after in both}
    finding = Finding(Scope.TRANSFER, Name.RANKS, "winners", method=KENDALL, studies=len(programs))
    if len(programs) < FEWEST_RANKED:
        missing = Missing(f"{FEWEST_RANKED - len(programs)} of {FEWEST_RANKED} different winners, to compare ranks", None)
        return stated(replace(finding, missing=(missing,)), None)
    first, other = zip(*programs.values(), strict=True)
    tau = float(stats.kendalltau(first, other).statistic)
    forward, backward = (float(stats.kendalltau(first, other, alternative=side).pvalue) for side in ("greater", "less"))
    return stated(replace(finding, estimate=_tau(tau, len(programs))), forward, backward)


def _tau(tau: float, count: int) -> Estimate:
    """With the interval by Fisher's z, whose standard error for Kendall's tau is the root of 0.437 / (n - 4) (Fieller,
    Hartley and Pearson 1957). Perfect agreement is taken half a pair away from it, where z is finite."""
    most = 1 - 1 / (count * (count - 1))
    z, error = math.atanh(max(-most, min(most, tau))), math.sqrt(0.437 / (count - 4))
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Estimate(tau, None, min(tau, math.tanh(z - reach)), max(tau, math.tanh(z + reach)))


def in_a_word(gain: Finding | None, share: Finding | None) -> str:
    """The verdict on a winner: it transfers (in part), it does not, that is open, or it is not stated."""
    if gain is None or gain.verdict is Verdict.NOT_STATED:
        return str(Verdict.NOT_STATED)
    less = share is not None and share.estimate is not None and share.estimate.high is not None and share.estimate.high < 1
    if gain.verdict is Verdict.SHOWN:
        return "transfers in part" if less else "transfers"
    if gain.verdict is Verdict.REVERSE:
        return "does not transfer: a loss there"
    if any("failed" in remark for remark in gain.remarks):
        return "does not transfer: it fails there"
    if less:
        return "does not transfer: less is left, and possibly nothing"
    return "open: neither a gain nor its loss is shown"
