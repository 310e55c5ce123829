"""The report as Markdown, from a template. Every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Template

from search.compare.analyse.finding import Finding, Name, Scope, Spread, Verdict
from search.compare.analyse.machine import in_tokens
from search.compare.read.tables import Experiment, Scalar, StudyTable
from search.compare.show.answers import answers_of, survival_of
from search.compare.show.behavior import behavior_told
from search.compare.show.setting import setting_of, text_of
from search.compare.show.verdict import machine_moved, sentences_of, without_llm
from search.compare.show.view import NONE, UNKNOWN, View, before
from search.compare.show.words import used_in
from search.page import text
from search.page.canvas import Picture
from search.page.markdown import Raw, templates
from search.page.numbers import dollars, duration, p_value, percent, plural, studies

PARTS = (Name.CLAIMED, Name.GAIN, Name.LUCK, Name.OTHER_TEXT, Name.OVERFITTING, Name.TUNING, Name.CODE)
LONGEST_DIFF = 300  # lines
MOST_FAILED = 30  # trials that are listed; report.json has all


def markdown_of(experiment: Experiment, view: View, cautions: Sequence[str], pictures: Sequence[Picture]) -> str:
    """Returns the report as Markdown. Its pictures are files beside it, named as in `picture_file`."""
    analysis, everywhere = view.analysis, view.everywhere
    rows = [*(row for study in experiment.studies for row in study.rows), *experiment.confirmation.rows]
    written = _templates(view).render(
        a=analysis,
        view=view,
        Name=Name,
        Scope=Scope,
        PARTS=PARTS,
        machine=list(machine_moved(view)),
        without_llm=list(without_llm(view)),
        setting=list(setting_of(view, text_of(experiment))),
        tokens=in_tokens(analysis.task_facts),
        answers=[*answers_of(view), *survival_of(view)],
        sentences=sentences_of(view),
        cautions=cautions,
        pictures=pictures,
        trials=sum(study.trials for study in analysis.studies),
        first=_time(min(row.started for row in rows)).removesuffix(" UTC"),
        last=_time(max(row.finished for row in rows)).removeprefix(_time(min(row.started for row in rows))[:11]),
        early=[one for one in everywhere(Scope.STRATEGY, Name.GAIN) if one.at is not None],
        contrasts=[*everywhere(Scope.CLAIM), *everywhere(Scope.STRATEGIES), *view.programs()],
        gains=[one for one in everywhere(Scope.PROGRAM, Name.GAIN) if one.look is not None],
        failed=analysis.failed[:MOST_FAILED],
        winners=[view.facts[s.identity] for s in experiment.studies if not s.is_control and view.facts[s.identity].winner],
        behavior=behavior_told(view),
        tuned=[study for study in analysis.studies if study.importance],
        changes={study.identity: _change(study, view) for study in experiment.studies},
    )
    words = "\n".join(f"- **{word}**: {meaning}" for word, meaning in used_in(written).items())
    return re.sub(r"\n{3,}", "\n\n", f"{written}\n### Words\n\n{words}\n")


def _templates(view: View) -> Template:
    found = templates(Path(__file__).parent)
    found.filters.update(
        before=before,
        diff=lambda value: Raw(_fenced(value)),
        p=_p,
        luck=lambda ends: UNKNOWN if ends is None else f"{view.score(ends[0])} to {view.score(ends[1])}",
        spread=lambda spread: _spread(view, spread),
        estimate=view.numbers.estimate,
        plural=plural,
        studies=studies,
        duration=duration,
        dollars=dollars,
        counts=lambda counts: _list(f"{text.short(name)}: {count}" for name, count in sorted(counts.items())),
        shares=lambda shares: _list(f"{text.short(name)} {percent(share)}" for name, share in list(shares.items())[:5]),
        speeds=lambda speeds: _list(f"{view.name(name)} {ratio:.3f} x" for name, ratio in speeds),
        constant=_constant,
        changed=lambda kind: {"both": "constants and code", None: "what is not on record"}.get(kind, kind),
    )
    return found.get_template("report.md.j2")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _p(finding: Finding | None) -> str:
    """The one that the verdict rests on."""
    if finding is None or (finding.p is None and finding.verdict in (Verdict.MEASURED, Verdict.NOT_STATED)):
        return NONE
    return (
        p_value(finding.p_reverse if finding.verdict is Verdict.REVERSE else finding.p).removeprefix("p ").removeprefix("= ")
    )


def _spread(view: View, spread: Spread | None) -> str:
    if spread is None:
        return UNKNOWN
    return f"{view.score(spread.sd)} ({view.score(spread.low)} to {view.score(spread.high)})"


def _change(study: StudyTable, view: View) -> str:
    """The diff of the winner that the report is about, as far as it is published."""
    is_winner = study.winner is not None and study.winner.number == view.facts[study.identity].winner
    return study.change if study.change is not None and is_winner else ""


def _fenced(diff: str) -> str:
    """A block that no line of the diff can end."""
    if not diff:
        return "The diff is not at hand here; it is an artifact of the trial in MLflow."
    lines = text.verbatim(diff).splitlines()
    more = [f"... and {len(lines) - LONGEST_DIFF} more lines, in MLflow"] if len(lines) > LONGEST_DIFF else []
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", diff)), default=0))
    return "\n".join([f"{ticks}diff", *lines[:LONGEST_DIFF], *more, ticks])


def _constant(value: Scalar) -> str:
    """Rounded: a sampler gives sixteen digits."""
    return f"{value:.4g}" if isinstance(value, float) else text.short(str(value))


def _list(parts: Any) -> str:
    return ", ".join(parts) or NONE
