"""Makes the page: Markdown from a template, one HTML file, JSON, and the picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search.page.html import html_of
from search.page.markdown import picture_file, templates
from search.page.numbers import duration
from search.review.analysis import to_json
from search.review.repository import file_of
from search.review.show.again import CAUTIONS as AGAIN_CAUTIONS
from search.review.show.again import contrast_told
from search.review.show.picture import curve
from search.review.show.shown import Shown
from search.review.show.verdict import CAUTIONS


def files_of(shown: Shown) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents of the page's files."""
    log, reviewed, numbers = shown.log, shown.reviewed, shown.numbers
    picture = curve(log, reviewed)
    cautions = CAUTIONS if shown.again is None else (*AGAIN_CAUTIONS, *CAUTIONS)
    found = templates(Path(__file__).parent)
    found.filters.update(score=numbers.score, gain=numbers.gain, noise=numbers.noise, chance=_chance)
    found.filters["contrast"] = lambda contrast: contrast_told(contrast, numbers)
    report = found.get_template("review.md.j2").render(
        r=reviewed,
        verdict=shown.verdict,
        picture=picture,
        cautions=cautions,
        minutes=f"{shown.minutes:g}",
        programs=shown.programs,
        again=shown.again,
        hours=duration(0.0 if shown.again is None else sum(run["seconds"] for run in shown.again.runs)),
    )
    report = re.sub(r"\n{3,}", "\n\n", report)
    yield "report.html", html_of(report, f"{log.name}: fairtrial", [picture]).encode()
    yield "report.md", report.encode()
    yield "report.json", (json.dumps(_told(shown, cautions), indent=1, allow_nan=False) + "\n").encode()
    yield picture_file(picture.name), picture.png
    for program in shown.programs:
        if program.text is not None:
            yield file_of(program), program.text.encode()


def _told(shown: Shown, cautions: Sequence[str]) -> dict[str, Any]:
    """Returns what report.json holds."""
    taken = [{key: value for key, value in asdict(one).items() if key != "text"} for one in shown.programs]
    again = {} if shown.again is None else {"again": asdict(shown.again)}
    said = {"schema": shown.reviewed.schema, "verdict": shown.verdict, "cautions": cautions}
    return {**said, **to_json(shown.reviewed), "programs": taken, **again}


def _chance(share: float) -> str:
    return "less than 1 in 10,000" if share < 0.0001 else f"{100 * share:.2g} % of logs"
