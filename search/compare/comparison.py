"""What `python -m search.compare` does: from the studies in MLflow to a report on disk, in MLflow, and on the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from search.compare.analyse.analysis import analyse
from search.compare.publish import publish
from search.compare.read.reader import read_experiment
from search.compare.read.tables import Experiment
from search.compare.show.cautions import cautions_of
from search.compare.show.markdown import markdown_of
from search.compare.show.pictures import pictures_of
from search.compare.show.terminal import summarise
from search.compare.show.verdict import verdict_of
from search.compare.show.view import View
from search.config.commands import CompareConfig, Pair
from search.config.files import unwritable, write_whole
from search.config.messages import UserError
from search.config.places import MLRUNS, resolve
from search.page.canvas import Picture
from search.page.html import html_of
from search.page.markdown import picture_file
from search.tracking.colours import styles
from search.tracking.links import directions

REPORTS = MLRUNS / "reports"


@dataclass(frozen=True)
class Comparison:
    """Everything that is said about an experiment. `view`: of its analysis."""

    experiment: Experiment
    view: View
    verdict: tuple[str, ...]
    cautions: tuple[str, ...]


def compare(config: CompareConfig) -> None:
    """Print the comparison, write its report and publish it. Raises UserError."""
    console, uri = Console(highlight=False), config.tracking.uri
    with console.status("reading the studies"):
        experiment = read_experiment(uri, config.experiment, config.task)
        compared = comparison_of(experiment, config.pairs, config.delta)
    summarise(compared.view, compared.cautions, console)
    folder = _folder(config, experiment)
    colours = styles({study.strategy: (study.name, study.role) for study in experiment.studies})
    with console.status("drawing"):
        files = write_report(folder, compared, pictures_of(experiment, compared.view, colours))
    print(f"report: {folder / 'report.html'}")
    with console.status("publishing"):
        pages = publish(uri, compared, colours, folder, files)
    for line in directions(uri, config.experiment, *pages):
        print(line)


def comparison_of(experiment: Experiment, named: Sequence[Pair] = (), delta: float | None = None) -> Comparison:
    """`named`, `delta`: as `contrast_findings` takes them. Raises UserError for a strategy that is not there."""
    for label in (label for pair in named for label in pair):
        if label not in experiment.strategies:
            raise UserError(f"contrasts: {label} is no strategy here; there are {', '.join(experiment.strategies)}")
    view = View(analyse(experiment, named, delta))
    return Comparison(experiment, view, verdict_of(view), cautions_of(experiment, view))


def write_report(folder: Path, compared: Comparison, pictures: Sequence[Picture]) -> list[Path]:
    """Write report.html, report.md, report.json and the pictures; returns their paths. Raises UserError where the folder
    cannot be written."""
    written = []
    try:
        for name, data in files_of(compared, pictures):
            write_whole(folder / name, data)
            written.append(folder / name)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    return written


def files_of(compared: Comparison, pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the report's files."""
    analysis = asdict(compared.view.analysis)
    said = {"schema": analysis["schema"], "verdict": compared.verdict, "cautions": compared.cautions}
    report = markdown_of(compared.experiment, compared.view, compared.cautions, pictures)
    yield "report.html", html_of(report, f"{compared.experiment.name}: fairtrial", pictures).encode()
    yield "report.md", report.encode()
    yield "report.json", (json.dumps({**said, **analysis}, indent=1, allow_nan=False) + "\n").encode()
    for picture in pictures:
        yield picture_file(picture.name), picture.png


def _folder(config: CompareConfig, experiment: Experiment) -> Path:
    """Names in an MLflow store may be anything; ours are folders already."""
    if config.out is not None:
        return resolve(config.out)
    return REPORTS.joinpath(*(re.sub(r"^\.+|[^\w.-]+", "-", name) for name in (experiment.name, experiment.task)))
