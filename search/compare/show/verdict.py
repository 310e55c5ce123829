"""The verdict in plain sentences, made from the findings alone. Positive is better, everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from search.compare.analyse.finding import Estimate, Finding, Name, Scope, Verdict
from search.compare.show.numbers import p_value, plural, studies
from search.compare.show.view import View, joined, lacks

MOST_NAMED = 3  # studies in one sentence


def verdict_of(view: View) -> tuple[str, ...]:
    """What a reader must know first comes first."""
    return (
        *_machine(view),
        *_claims(view),
        *_contrasts(view),
        *(sentence for label in view.rivals for sentence in _strategy(view, label)),
        *_programs(view),
        _noise_floor(view),
        *_looks(view),
    )


def _machine(view: View) -> Iterator[str]:
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
        said.append(f"the machine's speed was not the control's in {', '.join(speeds[:MOST_NAMED])}{more}")
    if said:
        yield f"The machine moved: {'; '.join(said)}."
        side = "Gains and advantages below are measured side by side and hold; " if view.analysis.confirmation else ""
        yield (
            f"{side}{'scores' if side else 'Scores'} of different hours are not comparable, and claims are measured against "
            "each study's own stock. "
            f"Use an idle machine{'' if in_tokens else ', or task.budget.tokens,'} to have it steady."
        )


def _claims(view: View) -> Iterator[str]:
    """One strategy against every baseline."""
    claims = view.everywhere(Scope.CLAIM)
    if not claims and not view.everywhere(Scope.STRATEGIES):
        yield "No claim about strategies: it takes studies of an agent and of a baseline."
    for claim in claims:
        yield _compared(view, claim, f"every baseline ({view.name(str(claim.against))})", "Smallest advantage")


def _contrasts(view: View) -> Iterator[str]:
    """Pairs that a user named, equivalence, and bad news that a claim does not tell."""
    claims = {(one.subject, one.at): one.verdict for one in view.everywhere(Scope.CLAIM)}
    for one in view.everywhere(Scope.STRATEGIES):
        claim = claims.get((one.subject, one.at))
        second = view.name(str(one.against))
        if one.name is Name.EQUIVALENCE:
            yield _equivalent(view, one)
        elif claim is None or (one.verdict is Verdict.REVERSE and claim is not Verdict.REVERSE):
            yield _compared(view, one, second, "Advantage")


def _compared(view: View, finding: Finding, second: str, advantage: str) -> str:
    better = f"{_after(finding)}{view.name(finding.subject)} is better than {second}"
    if finding.verdict is Verdict.NOT_STATED or finding.estimate is None:
        return f"{better}: not stated, for this is missing: {lacks(finding)}."
    reverse = finding.verdict is Verdict.REVERSE
    p = finding.p_reverse if reverse else finding.p
    numbers = (
        f"{advantage} {_interval(view, finding.estimate)}, {p_value(p)}, {studies(finding.studies)} each{_failed(finding)}."
    )
    if reverse:
        return f"{better.replace(' is better than ', ' is worse than ')}: shown. {numbers}"
    return f"{better}: {finding.verdict}. {numbers}{_advice(view, finding)}"


def _advice(view: View, finding: Finding) -> str:
    """Only where more data could show it: what is shown needs none, and a disadvantage gets no better."""
    if finding.shown or finding.estimate is None or finding.estimate.value <= 0:
        return ""
    words = ["python", "-m", "search.plan", f"experiment={view.analysis.experiment}"]
    command = shlex.join([*words, f"difference={view.numbers.plain(finding.estimate.value)}"])
    return f" Were that the true difference, this says what would show it: {command}"


def _equivalent(view: View, finding: Finding) -> str:
    words = next(remark for remark in finding.remarks if remark.startswith("neither is better"))
    pair = f"{view.name(finding.subject)} and {view.name(str(finding.against))}"
    return f"{_after(finding)}{pair}: {words}: {finding.verdict}, {p_value(finding.p)}."


def _strategy(view: View, label: str) -> Iterator[str]:
    """What a strategy claims, and what became of it."""
    name, find = view.name(label), view.analysis.find
    claimed, gain = (find(Scope.STRATEGY, which, label) for which in (Name.CLAIMED, Name.GAIN))
    if claimed is None or claimed.estimate is None:
        yield f"{name} has no score that could be held against the stock: it claims nothing."
        return
    if claimed.estimate.by_definition:
        yield f"{name} kept the unchanged program in {studies(claimed.studies)}: it claims nothing."
        return
    whole = len([facts for facts in view.analysis.studies if facts.strategy == label])
    of = f"{claimed.studies} of {whole} studies" if claimed.studies < whole else studies(whole)
    claim = f"{name} claims {view.numbers.signed(claimed.estimate.value)} (mean of {of})"
    luck = find(Scope.STRATEGY, Name.LUCK, label)
    if gain is None or gain.estimate is None:
        yield f"{claim}; unconfirmed: how much of it is luck is not known."
        return
    if luck is None or luck.estimate is None:
        yield f"{claim}. Nothing of it survived{_failed(gain)}."
        return
    yield (
        f"{claim}. On fresh seeds and unseen text {_interval(view, gain.estimate)} survived: {_word(gain)}"
        f"{_failed(gain)}; luck: {_interval(view, luck.estimate)}."
    )
    parts = [_part(view, label, Name.TUNING), _part(view, label, Name.CODE)]
    yield f"{name}: {'; '.join(filter(None, parts))}. {_winners(view, label)}"
    overfitting = find(Scope.STRATEGY, Name.OVERFITTING, label)
    if overfitting is not None and overfitting.shown and overfitting.estimate is not None:
        yield f"{name} overfitted the validation text by {_interval(view, overfitting.estimate)}: shown."


def _part(view: View, label: str, name: Name) -> str:
    finding = view.analysis.find(Scope.STRATEGY, name, label)
    if finding is None or finding.estimate is None:
        return ""
    if finding.estimate.by_definition:
        return "no constant was changed" if name is Name.TUNING else "no code was changed"
    return f"{name} {_interval(view, finding.estimate)}, {finding.verdict}"


def _winners(view: View, label: str) -> str:
    gains = [gain for gain in view.gains(label) if gain.look is not None]  # the stock's is 0 by definition
    if all(gain.verdict is Verdict.NOT_STATED for gain in gains):
        return "No winner's gain is stated by itself."
    if len(gains) == 1:
        return f"The gain of its one winner, by itself: {_word(gains[0])}."
    return f"The gain of {view.shown_in(label)} winners is shown by itself (corrected for {len(gains)})."


def _word(finding: Finding) -> str:
    return "a loss, shown" if finding.verdict is Verdict.REVERSE else str(finding.verdict)


def _programs(view: View) -> Iterator[str]:
    """Two programs, where their strategies cannot be stated yet. They are no claim about strategies."""
    for one in view.programs():
        if one.name is Name.EQUIVALENCE or one.estimate is None:
            yield _equivalent(view, one)
            continue
        reverse = one.verdict is Verdict.REVERSE
        better = f"{_winner(view, one, one.subject)} is {'worse' if reverse else 'better'} than"
        numbers = f"Advantage {_interval(view, one.estimate)}, {p_value(one.p_reverse if reverse else one.p)}"
        yield (
            f"As programs: {better} {_winner(view, one, str(one.against))}: {Verdict.SHOWN if reverse else one.verdict}. "
            f"{numbers}, {plural(one.repeats, 'repeat')}; this says nothing of their strategies."
        )


def _winner(view: View, finding: Finding, study: str) -> str:
    """A trial by its number, where the study's last winner is meant."""
    if finding.at is not None:
        return f"the winner of {view.name(study)} after {finding.at} trials"
    if view.facts[finding.subject].trials != view.facts[str(finding.against)].trials:
        return f"the winner of {view.name(study)} at an equal budget"
    return f"trial {view.facts[study].winner} of {view.name(study)}"


def _noise_floor(view: View) -> str:
    noise, plain = view.analysis.noise, view.numbers.plain
    if noise.sd is None:
        scores = plural(noise.trials, "score")
        return f"The noise floor is not known, for the control has {scores}: no difference can be held against luck."
    interval = f"95 %: {plain(noise.sd.low)} to {plain(noise.sd.high)}"
    return (
        f"Noise floor: training runs of the unchanged program differ with a standard deviation of {plain(noise.sd.sd)} "
        f"({interval}; {plural(noise.trials, 'trial')})."
    )


def _looks(view: View) -> Iterator[str]:
    looks = [one.look for one in view.analysis.findings if one.look is not None]
    late = max(looks, key=lambda look: look.number - look.planned, default=None)
    if late is not None and late.number > late.planned:
        planned = plural(late.planned, "look was", "looks were")
        yield (
            f"Some of this is look {late.number} where {planned} planned. It costs: there p must be below "
            f"{late.level:.4f} to be shown."
        )


def _failed(finding: Finding) -> str:
    """That winners failed, in brackets."""
    remarks = [remark for remark in finding.remarks if "failed" in remark]
    return f" ({'; '.join(remarks)})" if remarks else ""


def _interval(view: View, estimate: Estimate) -> str:
    return view.numbers.estimate(estimate, "95 %: ")


def _after(finding: Finding) -> str:
    return "" if finding.at is None else f"After {finding.at} trials, "
