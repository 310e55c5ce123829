"""Says in sentences what a review found, the most important first."""

from __future__ import annotations

from search.page.numbers import percent, plural
from search.review.analysis import Review
from search.review.keeps import Verdict
from search.review.settle import few
from search.review.show.numbers import Numbers

CAUTIONS = (
    "This page assumes that the noise is the same for every program and in every hour, and normally distributed. A machine "
    "that got faster during the night looks like progress.",
    "A gain beyond luck may still not hold elsewhere: every score here is on the text that chose the keeps, and training "
    "seeds may have been chosen, too. Only training again, on fresh seeds and unseen text, can show it.",
    "This page believes the log. It cannot see trials that were left out, or scores that were not earned.",
)


def verdict_of(reviewed: Review, numbers: Numbers) -> tuple[str, ...]:
    """Returns the sentences."""
    found = [_headline(reviewed, numbers), _records(reviewed)]
    if reviewed.noise is not None and reviewed.luck is not None:
        found.append(
            f"Luck alone: after {plural(reviewed.comparisons, 'further draw')} of the unchanged program, the best claims "
            f"{numbers.gain(reviewed.luck.median[-1])} in the median log, and {numbers.gain(reviewed.luck.low[-1])} to "
            f"{numbers.gain(reviewed.luck.high[-1])} in 95 % of logs."
        )
        found.append(_keeps(reviewed, numbers))
        found.append(f"Noise: the standard deviation is {numbers.noise(reviewed.noise.sd)}, {reviewed.noise.source}.")
    return tuple(found)


def _headline(reviewed: Review, numbers: Numbers) -> str:
    claimed = numbers.gain(reviewed.claimed)
    if reviewed.claimed <= 0:
        return "No gain is claimed: no kept trial beats the start."
    if reviewed.noise is None or reviewed.at_least is None or reviewed.margin is None:
        return (
            f"Not known: the log claims {claimed}, but does not say how noisy one training run is. The claim is beyond luck "
            f"if the standard deviation of that noise is below {numbers.noise(reviewed.beyond_below)}."
        )
    if reviewed.at_least > 0:
        share = percent(reviewed.at_least / reviewed.claimed)
        least = numbers.gain(reviewed.at_least)
        return f"Beyond luck: of the claimed {claimed}, at least {least} ({share}) is a true gain, at 95 % confidence."
    return (
        f"Not beyond luck: the log claims {claimed}, which is within the margin of {numbers.gain(reviewed.margin)} that the "
        f"best of {plural(reviewed.comparisons, 'noisy draw')} may reach without any improvement."
        + (" The margin is wide because the noise is known from few runs." if few(reviewed.noise) else "")
    )


def _records(reviewed: Review) -> str:
    records = reviewed.records
    return (
        f"Records: {plural(records.found, 'score')} of the log {'beats' if records.found == 1 else 'beat'} all before. As "
        f"many noisy draws of an unchanged program set {records.expected:.1f} records on average, and {records.low} to "
        f"{records.high} in 95 % of logs, even if the noise is small."
    )


def _keeps(reviewed: Review, numbers: Numbers) -> str:
    def of(verdict: Verdict) -> list[int]:
        return [keep.number for keep in reviewed.keeps if keep.verdict is verdict]

    alone, together, within, none = map(of, (Verdict.BEYOND, Verdict.TOGETHER, Verdict.WITHIN, Verdict.NONE))
    beyond = "is beyond luck by itself" if len(alone) == 1 else "are beyond luck by themselves"
    parts = [f"{len(alone)} of {plural(len(reviewed.keeps) - 1, 'keep')} {beyond}"]
    if alone and reviewed.carried is not None:
        share = percent(reviewed.carried / reviewed.claimed)
        parts[0] += f" ({_trials(alone)}), with {numbers.gain(reviewed.carried)} ({share} of the claim, as logged)"
    if together:
        parts.append(f"{len(together)} only together with earlier ones ({_trials(together)})")
    parts.append(f"{len(within)} within noise")
    if none:
        parts.append(f"{len(none)} without an improvement")
    return f"Keeps: {'; '.join(parts)}."


def _trials(numbers: list[int]) -> str:
    return f"{'trial' if len(numbers) == 1 else 'trials'} {', '.join(map(str, numbers))}"
