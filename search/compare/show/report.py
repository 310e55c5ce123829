"""The report as Markdown, from a template, and as one HTML file: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from search.compare.analyse.finding import Finding, Name, Scope, Spread, Verdict
from search.compare.analyse.studies import ConstantChange
from search.compare.read.tables import Experiment, Scalar
from search.compare.show import text
from search.compare.show.numbers import duration, p_value, percent, plural, studies
from search.compare.show.pictures.canvas import Picture
from search.compare.show.view import NONE, UNKNOWN, View
from search.study.identity import flat

PICTURES = "pictures"  # the folder beside the Markdown
CLASSES = {"shown": "yes", "not shown": "no", "unconfirmed": "open", "not stated": "open"}  # of cells, for their colour


class Raw(str):
    """Markdown, which needs no escape."""

    __slots__ = ()


def markdown_of(
    experiment: Experiment, view: View, verdict: Sequence[str], cautions: Sequence[str], pictures: Sequence[Picture]
) -> str:
    """Pictures are files beside it, called as in `picture_file`."""
    analysis, everywhere = view.analysis, view.everywhere
    rows = [row for study in experiment.studies for row in study.rows]
    report = _templates(view).get_template("report.md.j2")
    written = report.render(
        a=analysis,
        view=view,
        Name=Name,
        Scope=Scope,
        verdict=verdict,
        cautions=cautions,
        pictures=pictures,
        trials=sum(study.trials for study in analysis.studies),
        first=_time(min(row.started for row in rows)),
        last=_time(max(row.finished for row in rows)),
        early=[one for one in everywhere(Scope.STRATEGY, Name.GAIN) if one.at is not None],
        contrasts=[*everywhere(Scope.CLAIM), *everywhere(Scope.STRATEGIES), *view.programs()],
        commands=dict.fromkeys(missing.command for missing in analysis.missing if missing.command is not None),
        stated=any(one.scope is Scope.CLAIM and not one.missing for one in analysis.findings),
        changed=[study for study in analysis.studies if study.winner is not None and study.kind != "none"],
        facts=[(key, str(value)) for key, value in sorted(flat(analysis.task_facts).items()) if value is not None],
    )
    return re.sub(r"\n{3,}", "\n\n", written)


def html_of(report: str, title: str, pictures: Sequence[Picture]) -> str:
    """The Markdown as a page that has its pictures inside. A browser that honours its policy loads and runs nothing."""
    renderer = MarkdownIt("js-default").disable(["link", "autolink", "reference", "html_block", "html_inline"])
    for rule in (table_open, table_close, td_open, image):
        renderer.add_render_rule(rule.__name__, rule)
    body = renderer.render(report, {picture_file(picture.name): picture for picture in pictures})
    page = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True).get_template("page.html.j2")
    return page.render(title=text.plain(title), body=body)


def picture_file(name: str) -> str:
    return f"{PICTURES}/{name}.png"


def table_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, pictures: Any) -> str:
    """A wide table scrolls by itself."""
    return '<div class="wide" tabindex="0"><table>\n'


def table_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, pictures: Any) -> str:
    return "</table></div>\n"


def td_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, pictures: Any) -> str:
    kind = CLASSES.get(tokens[at + 1].content)
    return "<td>" if kind is None else f'<td class="{kind}">'


def image(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, pictures: Mapping[str, Picture]) -> str:
    """Only pictures of ours are shown."""
    svg = base64.b64encode(pictures[str(tokens[at].attrs["src"])].svg).decode("ascii")
    tokens[at].attrs["src"] = f"data:image/svg+xml;base64,{svg}"
    return RendererHTML.image(self, tokens, at, options, {})


def _templates(view: View) -> Environment:
    loader = FileSystemLoader(Path(__file__).parent)
    found = Environment(loader=loader, undefined=StrictUndefined, finalize=_escaped, keep_trailing_newline=True)
    found.filters.update(
        short=text.short,
        begin=lambda value: Raw(text.line(value)),
        verbatim=lambda value: Raw(text.plain(value)),
        image=lambda picture: Raw(f"![{text.markdown(picture.alt)}]({picture_file(picture.name)})"),
        p=_p,
        luck=lambda ends: UNKNOWN if ends is None else f"{view.score(ends[0])} to {view.score(ends[1])}",
        spread=lambda spread: _spread(view, spread),
        estimate=view.numbers.estimate,
        plural=plural,
        studies=studies,
        percent=percent,
        duration=duration,
        durations=lambda seconds: _list(f"{phase}: {duration(value)}" for phase, value in sorted(seconds.items())),
        counts=lambda counts: _list(f"{text.short(name)}: {count}" for name, count in sorted(counts.items())),
        speeds=lambda speeds: _list(f"{view.name(name)} {ratio:.3f} x" for name, ratio in speeds),
        constants=lambda changes: _list(_change(change) for change in changes),
    )
    return found


def _escaped(value: Any) -> str:
    return value if isinstance(value, Raw) else text.markdown(str(value))


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


def _change(change: ConstantChange) -> str:
    before = UNKNOWN if change.stock is None else _constant(change.stock)
    return f"{text.short(change.name)} from {before} to {_constant(change.winner)}"


def _constant(value: Scalar) -> str:
    """Rounded: a sampler gives sixteen digits."""
    return f"{value:.4g}" if isinstance(value, float) else text.short(str(value))


def _list(parts: Any) -> str:
    return ", ".join(parts) or NONE
