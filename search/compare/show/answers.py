"""The questions of a comparison with their answers. They rest on the findings alone. Positive is better, everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.compare.analyse.finding import Finding, Name, Scope, Verdict
from search.compare.analyse.intervals import turned
from search.compare.show.view import EARLY, View, lacks
from search.page.numbers import p_value, plural, studies

ANSWERS = {
    Verdict.SHOWN: "Yes, shown",
    Verdict.REVERSE: "No, a loss is shown",
    Verdict.NOT_SHOWN: "Not shown",
    Verdict.NOT_STATED: EARLY.capitalize(),
}


@dataclass(frozen=True)
class Answer:
    """One question of the comparison with its answer. `answer`: begins with one of ANSWERS and a colon."""

    question: str
    answer: str

    def __str__(self) -> str:
        return f"{self.question} {self.answer}"


def answers_of(view: View) -> tuple[Answer, ...]:
    """Answers whether each strategy beats every baseline. Adds the pairs that a user named, losses that no such answer
    tells, and pairs of programs if nothing can be stated about their strategies yet."""
    claims, strategies = view.everywhere(Scope.CLAIM), view.everywhere(Scope.STRATEGIES)
    if not claims and not strategies:
        return (Answer("Is an agent better than a baseline?", f"{EARLY.capitalize()}: studies of both are needed."),)
    told = {(one.subject, one.at): one.verdict for one in claims}
    others = [one for one in strategies if _is_news(one, told.get((one.subject, one.at)))]
    stated = (one for one in (*claims, *others, *view.programs()) if one.scope is not Scope.CLAIM or not _is_early(one))
    return (*_early_claims(view, claims), *(Answer(_question(view, one), _answer(view, one)) for one in stated))


def _is_early(finding: Finding) -> bool:
    return finding.verdict is Verdict.NOT_STATED


def _early_claims(view: View, claims: Sequence[Finding]) -> Iterator[Answer]:
    """What cannot be stated yet, in one answer for all that are compared with the same baselines."""
    groups: dict[tuple[str, int | None], list[Finding]] = {}
    for claim in filter(_is_early, claims):
        groups.setdefault((str(claim.against), claim.at), []).append(claim)
    for mine in groups.values():
        names = " or ".join(view.name(claim.subject) for claim in mine)
        question = _question(view, mine[0]).replace(view.name(mine[0].subject), names, 1)
        yield Answer(question, f"{ANSWERS[Verdict.NOT_STATED]}: {lacks(*mine)}.")


def survival_of(view: View) -> Iterator[Answer]:
    """Answers whether a new study of each strategy would gain, if that can be stated, and else what can be said so far."""
    for label in view.rivals:
        gain = view.analysis.find(Scope.STRATEGY, Name.GAIN, label)
        if gain is None:
            yield Answer(f"Does the gain of {view.name(label)} survive?", f"{EARLY.capitalize()}: it is not confirmed.")
        elif gain.look is not None and gain.verdict is not Verdict.NOT_STATED:
            yield Answer(f"Would a new study of {view.name(label)} gain?", _answer(view, gain))
    yield from early_of(view)


def early_of(view: View) -> Iterator[Answer]:
    """Answers for strategies of which nothing can be stated yet: one for each winner, and one for all of them together."""
    gains = [view.analysis.find(Scope.STRATEGY, Name.GAIN, label) for label in view.rivals]
    early = [gain for gain in gains if gain is not None and gain.verdict is Verdict.NOT_STATED]
    for gain in early:
        yield from _winners(view, gain.subject)
    if early:
        names = " or ".join(view.name(gain.subject) for gain in early)
        yield Answer(f"Would a new study of {names} gain?", f"{EARLY.capitalize()}: {lacks(*early)}.")


def _winners(view: View, label: str) -> Iterator[Answer]:
    """Answers about the strategy's own programs."""
    gains = [gain for gain in view.gains(label) if gain.look is not None]  # the stock's is 0 by definition
    stated = [gain for gain in gains if gain.verdict is not Verdict.NOT_STATED]
    if len(gains) > 1 and stated:
        count = f"Shown for {sum(gain.shown for gain in stated)} of {len(gains)}, each by itself."
        yield Answer(f"Are the winners of {view.name(label)} better than the stock?", count)
    for gain in stated if len(gains) == 1 else ():
        assert gain.estimate is not None
        numbers = f"{view.numbers.estimate(gain.estimate, '95 %: ')}, {_p(gain)}, {plural(gain.repeats, 'repeat')}"
        word = "No, it is worse, shown" if gain.verdict is Verdict.REVERSE else ANSWERS[gain.verdict]
        yield Answer(f"Is {view.trial(gain.subject)} better than the stock?", f"{word}: the gain is {numbers}.")


def _is_news(contrast: Finding, claim: Verdict | None) -> bool:
    is_told = claim is not None and (contrast.verdict is not Verdict.REVERSE or claim is Verdict.REVERSE)
    return contrast.name is Name.EQUIVALENCE or not is_told


def _question(view: View, finding: Finding) -> str:
    first, second = _pair(view, finding)
    if _is_of_several(view, finding):
        second = f"every baseline ({second})"
    after = "" if finding.at is None or finding.scope is Scope.PROGRAMS else f" after {finding.at} trials"
    if finding.name is Name.EQUIVALENCE:
        words = next(remark for remark in finding.remarks if remark.startswith("neither is better"))
        return f"Are {first} and {second} equally good{after} ({words})?"
    if finding.scope is Scope.PROGRAMS:
        return f"Which program is better, {first} or {second}?"
    return f"Is {first} better than {second}{after}?"


def _is_of_several(view: View, finding: Finding) -> bool:
    """Whether it is about more than one baseline."""
    return finding.scope is Scope.CLAIM and sum(row.role == "baseline" for row in view.analysis.strategies) > 1


def _pair(view: View, finding: Finding) -> tuple[str, str]:
    """Who is compared."""
    if finding.scope is Scope.PROGRAMS:
        return _program(view, finding, finding.subject), _program(view, finding, str(finding.against))
    return view.name(finding.subject), view.name(str(finding.against))


def _program(view: View, finding: Finding, study: str) -> str:
    """A trial by its number, where the study's last winner is meant."""
    if finding.at is not None:
        return f"the winner of {view.name(study)} after {finding.at} trials"
    if view.facts[finding.subject].trials != view.facts[str(finding.against)].trials:
        return f"the winner of {view.name(study)} at an equal budget"
    return view.trial(study)


def _answer(view: View, finding: Finding) -> str:
    word = ANSWERS[finding.verdict]
    if finding.scope is Scope.STRATEGY:  # whose numbers stand in a sentence of their own
        return f"{word}{f': {lacks(finding)}' if finding.missing else ''}."
    if finding.verdict is not Verdict.NOT_STATED and finding.name is Name.ADVANTAGE:
        if finding.scope is Scope.PROGRAMS:
            return f"{_better(view, finding)} This compares two programs, not their strategies."
        if finding.verdict is Verdict.REVERSE:
            return f"No. {_better(view, finding)}"
    if finding.verdict is Verdict.NOT_STATED or finding.estimate is None:
        return f"{word}: {lacks(finding)}."
    numbers = _p(finding)
    if finding.name is not Name.EQUIVALENCE:
        numbers = f"the advantage is {view.numbers.estimate(finding.estimate, '95 %: ')}, {numbers}"
    of = plural(finding.repeats, "repeat") if finding.scope is Scope.PROGRAMS else f"{studies(finding.studies)} each"
    return f"{word}: {numbers}, {of}{failed_in_words(finding)}.{_advice(view, finding)}"


def _better(view: View, finding: Finding) -> str:
    """Who is better, and by how much: seen from the better of the two."""
    estimate = finding.estimate
    assert estimate is not None
    if estimate.by_definition:
        return "Neither is: they are the same program."
    ahead, p = _pair(view, finding)[0], finding.p
    if estimate.value < 0:
        ahead, p, estimate = _pair(view, finding)[1], finding.p_reverse, turned(estimate)
    of = plural(finding.repeats, "repeat") if finding.scope is Scope.PROGRAMS else f"{studies(finding.studies)} each"
    word = "not shown" if finding.verdict is Verdict.NOT_SHOWN else "shown"
    said = f"{ahead[0].upper()}{ahead[1:]}," if finding.scope is Scope.PROGRAMS else f"{ahead} is better,"
    if _is_of_several(view, finding):  # the estimate is of the one that is furthest ahead
        said = "Every baseline is better. The best one is ahead"
    return f"{said} by {view.numbers.size(estimate)}: {word}, {p_value(p)}, {of}{failed_in_words(finding)}."


def _p(finding: Finding) -> str:
    """The one that the verdict rests on."""
    return p_value(finding.p_reverse if finding.verdict is Verdict.REVERSE else finding.p)


def _advice(view: View, finding: Finding) -> str:
    """Empty if more data would not help: what is shown needs none, and a disadvantage stays one."""
    if finding.verdict is not Verdict.NOT_SHOWN or finding.estimate is None or finding.estimate.value <= 0:
        return ""
    words = ["python", "-m", "search.plan", f"experiment={view.analysis.experiment}"]
    command = shlex.join([*words, f"difference={view.numbers.plain(finding.estimate.value)}"])
    return f" To see what it takes to show a difference of this size: {command}"


def failed_in_words(finding: Finding) -> str:
    """Says in brackets that winners failed; empty if none did."""
    remarks = [remark for remark in finding.remarks if "failed" in remark]
    return f" ({'; '.join(remarks)})" if remarks else ""
