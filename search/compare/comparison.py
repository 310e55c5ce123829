"""What `python -m search.compare` does: from the studies in MLflow to a report on disk, in MLflow, and on the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.commands import CompareConfig
from search.config.files import unwritable, write_whole
from search.config.places import MLRUNS, resolve

if TYPE_CHECKING:
    from search.compare.analyse.results import Analysis
    from search.compare.read.tables import Experiment
    from search.compare.show.pictures.album import Album

REPORTS = MLRUNS / "reports"


def compare(config: CompareConfig) -> None:
    """Print the comparison, write its report and publish it. Raises UserError."""
    from rich.console import Console

    from search.compare.analyse.analysis import analyse
    from search.compare.publish import publish
    from search.compare.read.reader import read_experiment
    from search.compare.show.pictures.album import album_of
    from search.compare.show.report.terminal import summarise
    from search.tracking.colours import styles
    from search.tracking.links import directions
    from search.tracking.store import absolute

    console, uri = Console(highlight=False), config.tracking.uri
    with console.status("reading the studies"):
        experiment = read_experiment(uri, config.experiment, config.task)
        analysis = analyse(experiment)
    summarise(analysis, frozenset(study.strategy for study in experiment.control), console)
    folder = _folder(config, analysis)
    with console.status("drawing"):
        files = write_report(folder, experiment, analysis, album_of(experiment, analysis))
    print(f"report: {folder / 'report.html'}")
    with console.status("publishing"):
        colours = styles({study.strategy: (study.name, study.role) for study in experiment.studies})
        pages = publish(uri, analysis, colours, folder, files)
    for line in directions(absolute(uri), *pages):
        print(line)


def write_report(folder: Path, experiment: Experiment, analysis: Analysis, album: Album) -> list[Path]:
    """Write report.html, report.md, report.json and the pictures; returns their paths. Raises UserError where the folder
    cannot be written."""
    written = []
    try:
        for name, data in _files(experiment, analysis, album):
            write_whole(folder / name, data)
            written.append(folder / name)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    return written


def _files(experiment: Experiment, analysis: Analysis, album: Album) -> Iterator[tuple[str, bytes]]:
    from search.compare.analyse.analysis import to_json
    from search.compare.show.report.contents import report_of
    from search.compare.show.report.html import page
    from search.compare.show.report.markdown import markdown, picture_file

    blocks = report_of(experiment, analysis, album)
    yield "report.html", page(blocks).encode()
    yield "report.md", markdown(blocks).encode()
    yield "report.json", (json.dumps(to_json(analysis), indent=1, allow_nan=False) + "\n").encode()
    for picture in album.pictures:
        yield picture_file(picture.name), picture.png


def _folder(config: CompareConfig, analysis: Analysis) -> Path:
    if config.out is not None:
        return resolve(config.out)
    return REPORTS / _folder_name(analysis.experiment) / _folder_name(analysis.task)


def _folder_name(name: str) -> str:
    """Names in an MLflow store may be anything; ours are folders already."""
    return re.sub(r"^\.+|[^\w.-]+", "-", name)
