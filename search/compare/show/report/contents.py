"""The whole report, in the order in which a stranger reads it."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.analyse.results import Analysis
from search.compare.read.tables import Experiment
from search.compare.show.pictures.album import Album
from search.compare.show.report import gains, grounds, opening, speed
from search.compare.show.report.blocks import Block, Bullets, Commands, Heading, Paragraph, Terms, short
from search.compare.show.report.glossary import TERMS


def report_of(experiment: Experiment, analysis: Analysis, album: Album) -> tuple[Block, ...]:
    return (
        *opening.question(experiment, analysis),
        *opening.verdict(analysis),
        *opening.headline(analysis, album),
        *gains.curves(analysis, album),
        *gains.decomposition(analysis, album),
        *gains.changes(analysis),
        *grounds.noise_floor(analysis, album),
        *speed.machine(analysis, album),
        *grounds.reliability(analysis),
        *grounds.confirmation(analysis),
        *_missing(analysis),
        *_cautions(analysis),
        *grounds.task(analysis),
        Heading(2, "What the words mean"),
        Terms(TERMS),
    )


def _missing(analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "What is missing")
    if not analysis.missing:
        yield Paragraph("Nothing: there are enough control trials, studies and repeats to state every contrast.")
        return
    yield Paragraph("Below these minima no contrast is stated. Each with the command that adds it:")
    for missing in analysis.missing:
        yield Paragraph(f"{missing.what}:")
        yield Commands((missing.command,))


def _cautions(analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "Cautions")
    if analysis.cautions:
        yield Bullets(tuple(short(caution) for caution in analysis.cautions))
    else:
        yield Paragraph("None that this program can see.")
