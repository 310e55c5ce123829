"""The verdict in plain sentences, made from the findings alone. Positive is better, everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from search.compare.analyse.finding import Finding, Name, Scope, Verdict
from search.compare.show.view import EARLY, View, joined, lacks
from search.page.numbers import p_value, plural, studies

MOST_NAMED = 3  # studies in one sentence
ANSWERS = {
    Verdict.SHOWN: "Yes, shown",
    Verdict.REVERSE: "No, the opposite is shown",
    Verdict.NOT_SHOWN: "Not shown",
    Verdict.NOT_STATED: EARLY.capitalize(),
}


@dataclass(frozen=True)
class Answer:
    """To one question of the comparison. `answer`: begins with one of ANSWERS and a colon."""

    question: str
    answer: str

    def __str__(self) -> str:
        return f"{self.question} {self.answer}"


def verdict_of(view: View) -> tuple[str, ...]:
    """What a reader must know first comes first."""
    return (*machine_moved(view), *map(str, answers_of(view)), *sentences_of(view))


def machine_moved(view: View) -> Iterator[str]:
    """Where the machine moved by more than the noise floor, or trained the stock at another speed."""
    machine, noise = view.analysis.machine, view.analysis.noise
    in_tokens = bool(view.analysis.task_facts.get("budget", {}).get("tokens"))
    speeds = [] if in_tokens else [f"{view.name(name)} ({ratio:.3f} x)" for name, ratio in machine.speeds]
    said = []
    if machine.moves and noise.sd is not None:
        moves = joined([f"{view.moved(move.bpb)} {move.what}" for move in machine.moves])
        said.append(f"the unchanged program got {moves}, more than the noise floor of {view.score(noise.sd.sd)}")
    if speeds:
        more = f" and {len(speeds) - MOST_NAMED} more" if len(speeds) > MOST_NAMED else ""
        said.append(f"it ran at another speed than for the control in {', '.join(speeds[:MOST_NAMED])}{more}")
    if said:
        yield f"The machine moved: {'; '.join(said)}."
        hold = "Gains and advantages hold, for they are measured side by side. " if view.analysis.confirmation else ""
        budget = "" if in_tokens else " or a budget in tokens (task.budget.tokens)"
        yield f"{hold}Scores of different hours cannot be compared. Next time, use an idle machine{budget}."


def answers_of(view: View) -> tuple[Answer, ...]:
    """One strategy against every baseline; pairs that a user named, and bad news that a claim does not tell; and programs,
    where their strategies cannot be stated yet."""
    claims, strategies = view.everywhere(Scope.CLAIM), view.everywhere(Scope.STRATEGIES)
    if not claims and not strategies:
        return (Answer("Is an agent better than a baseline?", f"{EARLY.capitalize()}: studies of both are needed."),)
    told = {(one.subject, one.at): one.verdict for one in claims}
    others = [one for one in strategies if _is_news(one, told.get((one.subject, one.at)))]
    return tuple(Answer(_question(view, one), _answer(view, one)) for one in (*claims, *others, *view.programs()))


def survival_of(view: View) -> Iterator[Answer]:
    """Of each strategy's claim, in a word."""
    for label in view.rivals:
        gain = view.analysis.find(Scope.STRATEGY, Name.GAIN, label)
        if gain is None or gain.look is not None:
            word = f"{ANSWERS[Verdict.NOT_STATED]}: it is not confirmed." if gain is None else _answer(view, gain)
            yield Answer(f"Does the gain of {view.name(label)} survive?", word)


def sentences_of(view: View) -> tuple[str, ...]:
    """What became of each claim, what scores vary by, and looks that nobody planned."""
    claims = (_claim(view, label) for label in view.rivals)
    overfitted = (sentence for label in view.rivals for sentence in _overfitted(view, label))
    return (*claims, *overfitted, _noise_floor(view), *_looks(view))


def _is_news(contrast: Finding, claim: Verdict | None) -> bool:
    is_told = claim is not None and (contrast.verdict is not Verdict.REVERSE or claim is Verdict.REVERSE)
    return contrast.name is Name.EQUIVALENCE or not is_told


def _question(view: View, finding: Finding) -> str:
    first, second = view.name(finding.subject), view.name(str(finding.against))
    if finding.scope is Scope.PROGRAMS:
        first, second = (_program(view, finding, study) for study in (finding.subject, str(finding.against)))
    elif finding.scope is Scope.CLAIM and sum(row.role == "baseline" for row in view.analysis.strategies) > 1:
        second = f"every baseline ({second})"
    after = "" if finding.at is None or finding.scope is Scope.PROGRAMS else f" after {finding.at} trials"
    if finding.name is Name.EQUIVALENCE:
        words = next(remark for remark in finding.remarks if remark.startswith("neither is better"))
        return f"Are {first} and {second} equally good{after} ({words})?"
    return f"Is {first} better than {second}{after}?"


def _program(view: View, finding: Finding, study: str) -> str:
    """A trial by its number, where the study's last winner is meant."""
    if finding.at is not None:
        return f"the winner of {view.name(study)} after {finding.at} trials"
    if view.facts[finding.subject].trials != view.facts[str(finding.against)].trials:
        return f"the winner of {view.name(study)} at an equal budget"
    return f"trial {view.facts[study].winner} of {view.name(study)}"


def _answer(view: View, finding: Finding) -> str:
    word = ANSWERS[finding.verdict]
    if finding.scope is Scope.STRATEGY:  # whose numbers stand in a sentence of their own
        return f"{word}{f': {lacks(finding)}' if finding.missing else ''}."
    if finding.verdict is Verdict.NOT_STATED or finding.estimate is None:
        return f"{word}: {lacks(finding)}."
    numbers = p_value(finding.p_reverse if finding.verdict is Verdict.REVERSE else finding.p)
    if finding.name is not Name.EQUIVALENCE:
        numbers = f"the advantage is {view.numbers.estimate(finding.estimate, '95 %: ')}, {numbers}"
    if finding.scope is Scope.PROGRAMS:
        return f"{word}: {numbers}, {plural(finding.repeats, 'repeat')}. This compares two programs, not their strategies."
    return f"{word}: {numbers}, {studies(finding.studies)} each{_failed(finding)}.{_advice(view, finding)}"


def _advice(view: View, finding: Finding) -> str:
    """Only where more data could show it: what is shown needs none, and a disadvantage gets no better."""
    if finding.verdict is not Verdict.NOT_SHOWN or finding.estimate is None or finding.estimate.value <= 0:
        return ""
    words = ["python", "-m", "search.plan", f"experiment={view.analysis.experiment}"]
    command = shlex.join([*words, f"difference={view.numbers.plain(finding.estimate.value)}"])
    return f" To see what it takes to show a difference of this size: {command}"


def _claim(view: View, label: str) -> str:
    """What a strategy claims, and what became of it."""
    name, signed = view.name(label), view.numbers.signed
    claimed, gain = (view.analysis.find(Scope.STRATEGY, which, label) for which in (Name.CLAIMED, Name.GAIN))
    if claimed is None or claimed.estimate is None:
        return f"{name} has no score that can be held against the unchanged program: it claims nothing."
    if claimed.estimate.by_definition:
        return f"{name} kept the unchanged program in {studies(claimed.studies)}: it claims nothing."
    if gain is None or gain.estimate is None:
        return f"{name} claims {signed(claimed.estimate.value)}, which is unconfirmed: nobody knows how much of it is luck."
    survived = f"({view.numbers.interval(gain.estimate)}; {view.word(gain)}){_failed(gain)}"
    parts = [_part(view, label, part, gain) for part in (Name.TUNING, Name.CODE)]
    made = f": {joined(list(filter(None, parts)))}" if all(parts) else ""
    kept = f"Of this, {signed(gain.estimate.value)} survived {survived}{made}."
    if gain.estimate.value <= 0:
        kept = f"Nothing survived: the gain is {signed(gain.estimate.value)} {survived}."
    winners = _winners(view, label) if gain.verdict is Verdict.NOT_STATED else ""
    return f"{name} claims {signed(claimed.estimate.value)}. {kept}{winners}"


def _part(view: View, label: str, name: Name, gain: Finding) -> str:
    finding, what = view.analysis.find(Scope.STRATEGY, name, label), name.removesuffix(" and interaction")
    if finding is None or finding.estimate is None:
        return ""
    if finding.estimate.by_definition:
        return f"nothing by {what}"
    word = "" if finding.verdict is gain.verdict is Verdict.NOT_STATED else f" ({view.word(finding)})"
    return f"{view.numbers.signed(finding.estimate.value)} by {what}{word}"


def _winners(view: View, label: str) -> str:
    """What can be said of its programs, where its strategy cannot be stated."""
    gains = [gain for gain in view.gains(label) if gain.look is not None]  # the stock's is 0 by definition
    if all(gain.verdict is Verdict.NOT_STATED for gain in gains):
        return ""
    if len(gains) == 1:
        return f" By itself, its winner shows {'a' if gains[0].shown else 'no'} gain."
    return f" By themselves, {sum(gain.shown for gain in gains)} of {len(gains)} winners show a gain."


def _overfitted(view: View, label: str) -> Iterator[str]:
    finding = view.analysis.find(Scope.STRATEGY, Name.OVERFITTING, label)
    if finding is not None and finding.shown and finding.estimate is not None:
        yield f"{view.name(label)} overfitted the validation text by {view.cell(finding)}: shown."


def _noise_floor(view: View) -> str:
    noise, plain = view.analysis.noise, view.numbers.plain
    if noise.sd is None:
        scores = plural(noise.trials, "score")
        return f"The control has {scores}, so the noise floor is unknown: no difference can be held against luck."
    return (
        f"The noise floor is {plain(noise.sd.sd)} (95 %: {plain(noise.sd.low)} to {plain(noise.sd.high)}): the standard "
        f"deviation of {plural(noise.trials, 'training run')} of the unchanged program."
    )


def _looks(view: View) -> Iterator[str]:
    looks = [one.look for one in view.analysis.findings if one.look is not None]
    late = max(looks, key=lambda look: look.number - look.planned, default=None)
    if late is not None and late.number > late.planned:
        planned = plural(late.planned, "look was", "looks were")
        yield f"Some results come from look {late.number}, and {planned} planned: their p must be below {late.level:.4f}."


def _failed(finding: Finding) -> str:
    """That winners failed, in brackets."""
    remarks = [remark for remark in finding.remarks if "failed" in remark]
    return f" ({'; '.join(remarks)})" if remarks else ""
