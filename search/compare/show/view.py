"""Names, cells and counts of an analysis, the same ones for the verdict, the report and the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from search.compare.analyse.analysis import Analysis
from search.compare.analyse.finding import Finding, Name, Scope, Verdict
from search.compare.show.numbers import Numbers, ratio
from search.page.text import short

UNCONFIRMED, UNKNOWN, NONE, EARLY = "unconfirmed", "unknown", "none", "too early to say"
KEY = "For llm=openai, set OPENAI_API_KEY to your API key and llm.model= to the name of a model; other providers work, too."


class View:
    """An analysis in its readers' words. `strategies`: labels, agents first and the control last; `rivals`: the same without
    the control. `facts`: by study."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.numbers = Numbers(analysis.noise)
        self.strategies = [row.strategy for row in analysis.strategies]
        self.rivals = [row.strategy for row in analysis.strategies if row.role != "control"]
        self.facts = {facts.study: facts for facts in analysis.studies}
        self._prefix = f"{analysis.experiment}/{analysis.task}/"

    def name(self, subject: str) -> str:
        """Names a strategy, or a study as strategy/search seed: what all studies share is left out."""
        return short(subject.removeprefix(self._prefix))

    def everywhere(self, scope: Scope, name: Name | None = None) -> list[Finding]:
        """The findings of a kind after any number of trials."""
        return [one for one in self.analysis.findings if one.scope is scope and (name is None or one.name is name)]

    def cell(self, finding: Finding | None, absent: str = UNCONFIRMED) -> str:
        if finding is None or finding.estimate is None:
            return absent
        return ratio(finding.estimate) if finding.name is Name.SPEED else self.numbers.estimate(finding.estimate)

    def of(self, scope: Scope, name: Name, subject: str) -> str:
        """The cell of a strategy's or a program's finding."""
        absent = UNKNOWN if name is Name.CLAIMED else UNCONFIRMED
        return self.cell(self.analysis.find(scope, name, subject), absent)

    def score(self, value: float | None) -> str:
        return UNKNOWN if value is None else self.numbers.plain(value)

    def moved(self, bpb: float) -> str:
        """Says by how much the stock's score got worse, or better."""
        return f"{self.numbers.plain(abs(bpb))} {'worse' if bpb > 0 else 'better'}"

    def programs(self) -> list[Finding]:
        """Stated contrasts of two programs whose strategies cannot be stated."""
        strategies = self.everywhere(Scope.STRATEGIES, Name.ADVANTAGE)
        unstated = {(one.subject, one.against, one.at) for one in strategies if one.verdict is Verdict.NOT_STATED}
        return [
            one
            for one in self.everywhere(Scope.PROGRAMS)
            if one.verdict is not Verdict.NOT_STATED
            and (self.facts[one.subject].strategy, self.facts[str(one.against)].strategy, one.at) in unstated
        ]

    def trial(self, study: str) -> str:
        """A study's winner by the number of its trial."""
        return f"trial {self.facts[study].winner} of {self.name(study)}"

    def gains(self, label: str) -> list[Finding]:
        """The gains of a strategy's winners, one by one."""
        return [one for one in self.analysis.of(Scope.PROGRAM, Name.GAIN) if self.facts[one.subject].strategy == label]

    def shown_in(self, label: str) -> str:
        """Says in how many of its confirmed studies the winner's gain is shown by itself."""
        gains = self.gains(label)
        if not gains:
            return UNCONFIRMED
        stated = [gain for gain in gains if gain.verdict is not Verdict.NOT_STATED]
        return f"{sum(gain.shown for gain in stated)} of {len(gains)}" if stated else EARLY

    def word(self, finding: Finding | None) -> str:
        """The verdict on a finding."""
        if finding is None:
            return UNCONFIRMED
        if finding.estimate is not None and finding.estimate.by_definition:
            return "is the stock"
        words = {Verdict.REVERSE: "a loss is shown", Verdict.NOT_STATED: EARLY}
        return words.get(finding.verdict, str(finding.verdict))


def lacks(*findings: Finding) -> str:
    """Says what it takes to state findings. What several of them lack is said once."""
    who: dict[str, list[str]] = {}
    for what in dict.fromkeys(short(missing.what) for finding in findings for missing in finding.missing):
        subject, _, rest = what.partition(" has ")
        who.setdefault(rest or what, []).append(subject)
    said = (f"{joined(subjects)} {'have' if subjects[1:] else 'has'} {rest}" for rest, subjects in who.items())
    return joined([rest if subjects == [rest] else one for one, (rest, subjects) in zip(said, who.items(), strict=True)])


def before(commands: Sequence[str]) -> str:
    """Says what to know before pasting the commands that add what is missing."""
    words = "These commands add it, in this order."
    if not any(" llm=openai " in f"{command} " for command in commands):
        return words
    return f"{words} {KEY}"


def joined(parts: Sequence[str]) -> str:
    """Joins parts as in `a, b and c`."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""
