"""The page: Markdown from a template, one HTML file, JSON, and the picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from search.page.html import html_of
from search.page.markdown import picture_file, templates
from search.review.analysis import Review, to_json
from search.review.read.log import Log
from search.review.repository import Program
from search.review.show.numbers import Numbers
from search.review.show.picture import curve
from search.review.show.verdict import CAUTIONS, verdict_of


def files_of(log: Log, reviewed: Review, minutes: float, kept: Sequence[Program]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the page's files."""
    numbers, picture = numbers_of(log), curve(log, reviewed)
    verdict = verdict_of(reviewed, numbers)
    found = templates(Path(__file__).parent)
    found.filters.update(score=numbers.score, gain=numbers.gain, noise=numbers.noise, chance=_chance)
    report = found.get_template("review.md.j2").render(
        r=reviewed, verdict=verdict, picture=picture, cautions=CAUTIONS, minutes=f"{minutes:g}", programs=kept
    )
    report = re.sub(r"\n{3,}", "\n\n", report)
    taken = [{key: value for key, value in asdict(program).items() if key != "text"} for program in kept]
    said = {"schema": reviewed.schema, "verdict": verdict, "cautions": CAUTIONS}
    yield "report.html", html_of(report, f"{log.name}: fairtrial", [picture]).encode()
    yield "report.md", report.encode()
    yield (
        "report.json",
        (json.dumps({**said, **to_json(reviewed), "programs": taken}, indent=1, allow_nan=False) + "\n").encode(),
    )
    yield picture_file(picture.name), picture.png
    for program in kept:
        if program.text is not None:
            yield _file_of(program), program.text.encode()


def _file_of(program: Program) -> str:
    """With the number of its trial; a revision may hold a sign that no file's name should."""
    return f"programs/{program.number:03d}-{program.revision.replace('^', '-before')}.py"


def numbers_of(log: Log) -> Numbers:
    return Numbers((trial.score for trial in log.scored if trial.score is not None), log.unit)


def _chance(share: float) -> str:
    return "less than 1 in 10,000" if share < 0.0001 else f"{100 * share:.2g} % of logs"
