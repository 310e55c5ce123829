"""The verdict in plain sentences. They rest on the findings alone. Positive is better, everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.analyse.finding import Finding, Name, Scope, Verdict
from search.compare.analyse.machine import in_tokens
from search.compare.show.answers import answers_of, early_of, failed_in_words
from search.compare.show.numbers import UNCHANGED
from search.compare.show.view import View, joined
from search.page.numbers import plural, studies

MOST_NAMED = 3  # studies in one sentence
LOST = (Name.LUCK, Name.OTHER_TEXT, Name.OVERFITTING)  # of a claim
TWO_RUNS = 2.8  # noise floors that two runs differ by less than in 19 of 20 cases: 1.96 times the root of 2 (ISO 5725)


def verdict_of(view: View) -> tuple[str, ...]:
    """Returns the sentences of the verdict; what a reader must know first comes first."""
    return (*warnings_of(view), *map(str, answers_of(view)), *map(str, early_of(view)), *sentences_of(view))


def warnings_of(view: View) -> tuple[str, ...]:
    """Returns what comes before any answer: that the machine moved, and that no LLM took part."""
    return (*machine_moved(view), *without_llm(view))


def without_llm(view: View) -> Iterator[str]:
    """Names the strategies in which something else stood in for the LLM."""
    for row in view.analysis.strategies:
        if row.about is not None and row.llm_calls is None:
            yield f"No LLM took part in {view.name(row.strategy)}: it is {row.about}."


def machine_moved(view: View) -> Iterator[str]:
    """Says that the machine moved by more than the noise floor, or trained the stock at another speed."""
    machine, noise = view.analysis.machine, view.analysis.noise
    tokens = in_tokens(view.analysis.task_facts)
    speeds = [] if tokens else [f"{view.name(name)} ({ratio:.3f} x)" for name, ratio in machine.speeds]
    said = []
    if machine.moves and noise.sd is not None:
        moves = joined([f"{view.moved(move.bpb)} {move.what}" for move in machine.moves])
        said.append(f"the unchanged program got {moves}, more than the noise floor of {view.score(noise.sd.sd)}")
    if speeds:
        more = f" and {len(speeds) - MOST_NAMED} more" if len(speeds) > MOST_NAMED else ""
        said.append(f"it ran at another speed than for the control in {', '.join(speeds[:MOST_NAMED])}{more}")
    if said:
        yield f"The machine moved: {'; '.join(said)}."
        hold = "Gains and advantages are valid: programs are trained side by side. " if view.analysis.confirmation else ""
        budget = "" if tokens else " or a budget in tokens (task.budget.tokens)"
        yield f"{hold}Scores of different hours cannot be compared. Next time, use an idle machine{budget}."


def sentences_of(view: View) -> tuple[str, ...]:
    """Says what became of each claim, by how much scores vary, and which looks nobody planned."""
    claims = (_claim(view, label) for label in view.rivals)
    overfitted = (sentence for label in view.rivals for sentence in _overfitted(view, label))
    return (*claims, *overfitted, _noise_floor(view), *_looks(view))


def _claim(view: View, label: str) -> str:
    """What a strategy claims, and what became of it."""
    name, signed = view.name(label), view.numbers.signed
    claimed, gain = (view.analysis.find(Scope.STRATEGY, which, label) for which in (Name.CLAIMED, Name.GAIN))
    if claimed is None or claimed.estimate is None:
        return f"{name} has no score to compare with that of the unchanged program: it claims nothing."
    if claimed.estimate.by_definition:
        return f"{name} kept the unchanged program in {studies(claimed.studies)}: it claims nothing."
    if gain is None or gain.estimate is None:
        return f"{name} claims {signed(claimed.estimate.value)}, which is unconfirmed: nobody knows how much of it is luck."
    word = "" if gain.verdict is Verdict.NOT_STATED else f"; {view.word(gain)}"
    survived = f"({view.numbers.interval(gain.estimate)}{word}){failed_in_words(gain)}"
    parts = [_part(view, label, part, gain) for part in (Name.TUNING, Name.CODE)]
    made = f": {joined(list(filter(None, parts)))}" if all(parts) else ""
    value, high = gain.estimate.value, gain.estimate.high
    if claimed.estimate.value <= 0:
        nothing = f"{name} claims nothing: its winner scored {signed(claimed.estimate.value)}"
        return f"{nothing}. Its gain is {signed(value)} {survived}."
    kept = f"Of this, {signed(value)} survived {survived}{made}."
    if value <= 0:
        doubt = "Nothing" if high is not None and high <= 0 else "It is open whether anything"
        kept = f"{doubt} survived: the gain is {signed(value)} {survived}."
    return f"{name} claims {signed(claimed.estimate.value)}. {kept}{_lost(view, label)}"


def _lost(view: View, label: str) -> str:
    """Says what the rest of a claim is."""
    found = [view.analysis.find(Scope.STRATEGY, name, label) for name in LOST]
    known = [one for one in found if one is not None and one.estimate is not None and not one.estimate.by_definition]
    parts = [f"{view.numbers.signed(one.estimate.value)} {one.name}" for one in known if one.estimate is not None]
    return f" The rest is {joined(parts)}." if len(parts) == len(LOST) else ""


def _part(view: View, label: str, name: Name, gain: Finding) -> str:
    finding, what = view.analysis.find(Scope.STRATEGY, name, label), name.removesuffix(" and interaction")
    if finding is None or finding.estimate is None:
        return ""
    if finding.estimate.by_definition:
        return f"nothing from {what} ({UNCHANGED})"
    word = "" if finding.verdict is gain.verdict is Verdict.NOT_STATED else f" ({view.word(finding)})"
    return f"{view.numbers.signed(finding.estimate.value)} from {what}{word}"


def _overfitted(view: View, label: str) -> Iterator[str]:
    finding = view.analysis.find(Scope.STRATEGY, Name.OVERFITTING, label)
    if finding is not None and finding.shown and finding.estimate is not None:
        yield f"{view.name(label)} overfitted the validation text by {view.cell(finding)}: shown."


def _noise_floor(view: View) -> str:
    noise, plain = view.analysis.noise, view.numbers.plain
    if noise.sd is None:
        scores = plural(noise.trials, "score")
        return f"The control has {scores}, so the noise floor is unknown: nothing says how large a difference luck can make."
    return (
        f"The noise floor is {plain(noise.sd.sd)} (95 %: {plain(noise.sd.low)} to {plain(noise.sd.high)}): the standard "
        f"deviation of {plural(noise.trials, 'training run')} of the unchanged program. A difference of two single runs "
        f"below {plain(TWO_RUNS * noise.sd.sd)} may be luck."
    )


def _looks(view: View) -> Iterator[str]:
    looks = [one.look for one in view.analysis.findings if one.look is not None]
    late = max(looks, key=lambda look: look.number - look.planned, default=None)
    if late is not None and late.number > late.planned:
        planned = plural(late.planned, "look was", "looks were")
        yield f"Some results come from look {late.number}, and {planned} planned: their p must be below {late.level:.4f}."
