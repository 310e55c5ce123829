"""A transfer's report: a terminal table, Markdown and JSON, which are views of one table of findings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.compare.analyse.finding import Estimate, Finding, Name, Scope, Verdict
from search.compare.analyse.noise import noise_of
from search.compare.analyse.programs import program_findings
from search.compare.analyse.quantity import evidence_of, measured_of
from search.compare.read.tables import Experiment
from search.compare.show.numbers import Numbers
from search.config.files import unwritable, write_whole
from search.config.places import MLRUNS
from search.page import text
from search.page.numbers import p_value
from search.transfer.findings import in_a_word

COLUMNS = ("winner of", "gain before (95 %)", "gain there (95 %)", "share that is left (95 %)", "verdict")


@dataclass(frozen=True)
class Report:
    """`first`, `other`: the experiment on the task that its studies had, and on the other one. `kind`: of the scale."""

    first: Experiment
    other: Experiment
    findings: tuple[Finding, ...]
    kind: str

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row of COLUMNS for each winner."""
        numbers, before = Numbers(noise_of(self.first)), self._before()
        gains, shares = self._of(Name.GAIN), self._of(Name.SHARE)
        for name, gain in gains.items():
            word = "is the stock" if gain.estimate and gain.estimate.by_definition else in_a_word(gain, shares.get(name))
            cells = (numbers.estimate(one.estimate) if one and one.estimate else "-" for one in (before.get(name), gain))
            yield text.short(name.split("/", 2)[-1]), *cells, _share(shares.get(name)), word

    def sentences(self) -> Iterator[str]:
        """About all winners together, and what is missing."""
        ranks = next(one for one in self.findings if one.name is Name.RANKS)
        if ranks.estimate is None:
            yield f"It is too early to say whether ranks agree: {ranks.missing[0].what}."
        else:
            agree = {Verdict.SHOWN: "agree: shown", Verdict.REVERSE: "are reversed: shown"}
            low, high = ranks.estimate.low or 0.0, ranks.estimate.high or 0.0
            yield (
                f"The ranks of {ranks.studies} winners {agree.get(ranks.verdict, 'agree: not shown')}. Kendall's tau "
                f"{ranks.estimate.value:+.2f} (95 %: {low:+.2f} to {high:+.2f}), {p_value(ranks.p)}."
            )
        for what in dict.fromkeys(one.what for finding in self.findings for one in finding.missing if finding is not ranks):
            yield f"Missing: {text.short(what)}."

    def commands(self) -> list[str]:
        """That add what is missing."""
        missing = (one.command for finding in self.findings for one in finding.missing)
        return [*dict.fromkeys(one for one in missing if one is not None)]

    def print(self, console: Console) -> None:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
        for column in COLUMNS:
            table.add_column(column, overflow="fold")
        for row in self.rows():
            table.add_row(*map(Text, row))
        console.print(Text(text.plain(f"{self.first.name}: from task {self.first.task} to {self.other.task}")))
        console.print(table)
        for sentence in self.sentences():
            console.print(Text(text.plain(sentence)))
        for line in self.commands():
            console.print(Text(f"  {text.plain(line)}"), soft_wrap=True)

    def write(self) -> Path:
        """Write it as Markdown and as JSON; returns the Markdown's path. Raises UserError."""
        folder = MLRUNS / "reports" / self.first.name / self.other.task
        found = [asdict(finding) for finding in self.findings]
        try:
            write_whole(
                folder / "transfer.json", (json.dumps({"findings": found}, indent=1, allow_nan=False) + "\n").encode()
            )
            write_whole(folder / "transfer.md", self.markdown().encode())
        except OSError as error:
            raise unwritable(folder, error) from error
        return folder / "transfer.md"

    def markdown(self) -> str:
        mark = text.markdown
        lines = [
            f"# {mark(self.first.name)}: what transfers from {mark(self.first.task)} to {mark(self.other.task)}?",
            "",
            "Stock and winners were trained side by side in blocks on both tasks. Gains are bits per byte on unseen text, "
            "with 95 % intervals in brackets (Fieller's for the share). A winner transfers if a gain on the second task is "
            "shown.",
            "",
            *_table([COLUMNS, *self.rows()]),
            "",
            *(f"- {text.line(sentence)}" for sentence in self.sentences()),
        ]
        parts = [*self._parts()]
        if parts:
            lines += [
                "",
                "Parts of the gains on the second task:",
                "",
                *_table([("winner of", "part", "estimate", "verdict"), *parts]),
            ]
        if commands := self.commands():
            lines += ["", "```sh", *map(text.plain, commands), "```"]
        return "\n".join(lines) + "\n"

    def _parts(self) -> Iterator[tuple[str, ...]]:
        numbers = Numbers(noise_of(self.first))
        for one in self.findings:
            if one.name in (Name.TUNING, Name.CODE) and one.estimate is not None and not one.estimate.by_definition:
                yield one.subject.split("/", 2)[-1], str(one.name), numbers.estimate(one.estimate), str(one.verdict)

    def _of(self, name: Name) -> dict[str, Finding]:
        return {one.subject: one for one in self.findings if one.scope is Scope.PROGRAM and one.name is name}

    def _before(self) -> dict[str, Finding]:
        evidence = evidence_of(self.first)
        found = program_findings(evidence, measured_of(evidence))
        return {one.subject: one for one in found if one.name is Name.GAIN and one.at is None}


def _share(finding: Finding | None) -> str:
    if finding is None or finding.estimate is None:
        return "-"
    estimate: Estimate = finding.estimate
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """As Markdown; the first row is its head."""
    head, *body = ([text.markdown(cell) for cell in row] for row in rows)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]
