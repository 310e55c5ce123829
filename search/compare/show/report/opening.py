"""What a stranger reads first: the question, the verdict, and the table it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from search.compare.analyse.results import Analysis, Contrast, StrategyResult
from search.compare.read.tables import Experiment
from search.compare.show.numbers import plural
from search.compare.show.pictures.album import Album
from search.compare.show.pictures.contrasts import in_words
from search.compare.show.report.blocks import Block, Bullets, Commands, Heading, Image, Lead, Paragraph, table
from search.compare.show.report.cells import UNCONFIRMED, Cells, p_cell


def question(experiment: Experiment, analysis: Analysis) -> Iterator[Block]:
    yield Heading(1, f"{analysis.experiment}: is it the agent, the tuning, or the luck?")
    strategies = ", ".join(result.strategy for result in analysis.strategies)
    studies = plural(len(analysis.studies), "study", "studies")
    yield Paragraph(
        f"Each strategy ({strategies}) searched for a better train.py, on the task {analysis.task}, by training one "
        "changed program after the other and keeping the best score. This report says how much of the gains found is luck "
        "(the best of many noisy scores), how much is plain tuning of constants, and how much only changed code could "
        "bring. Scores are val_bpb, bits per byte of text, and lower is better; gains are differences of scores, and more "
        "is better."
    )
    first = min(row.started for study in experiment.studies for row in study.rows)
    last = max(row.finished for study in experiment.studies for row in study.rows)
    yield Paragraph(
        f"{studies}, {sum(study.trials for study in analysis.studies)} trials (training runs), run from {_day(first)} to "
        f"{_day(last)}. Words in use here are explained at the end."
    )


def verdict(analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "Verdict")
    if short := in_short(analysis):
        yield Lead(short)
    yield Bullets(analysis.verdict)
    if analysis.missing:
        yield Paragraph("Not everything can be stated yet. These commands add what is missing:")
        yield Commands(tuple(dict.fromkeys(missing.command for missing in analysis.missing)))


def headline(analysis: Analysis, album: Album) -> Iterator[Block]:
    yield Heading(2, "The headline")
    yield Paragraph(
        "What each strategy claims by its search scores, and what is left when the stock and the winners are trained again "
        "on fresh seeds and scored on text that no study has seen. Means over studies; in brackets the 95 % interval."
    )
    cells = Cells(analysis)
    columns = ("strategy", "studies", "claimed gain", "of it luck", "confirmed gain", "gain shown in")
    yield table(columns, [_strategy_row(result, cells) for result in analysis.strategies])
    if analysis.headline:
        yield Paragraph(
            "Strategies against each other: the difference of their confirmed scores, paired by search seed. A difference "
            "is called shown where p, corrected for the number of contrasts (Holm), is below 0.05; not stated where there "
            "is too little to say anything."
        )
        columns = (
            "is the first better?",
            "advantage of the first",
            "p after Holm",
            "studies",
            "verdict",
            "would settle it",
        )
        yield table(columns, [_contrast_row(contrast, cells) for contrast in analysis.headline])
        yield Bullets(tuple(_how(contrast) for contrast in analysis.headline))
    yield from (Image(picture) for picture in album.contrasts)


def in_short(analysis: Analysis) -> str:
    """What the headline's contrasts came to; empty where nothing is compared and nothing confirmed."""
    sentences = [f"{in_words(contrast)}." for contrast in analysis.headline]
    if analysis.confirmation is None:
        sentences.append(f"All gains are {UNCONFIRMED}.")
    return " ".join(sentences)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _strategy_row(result: StrategyResult, cells: Cells) -> tuple[str, ...]:
    claimed = "no score" if result.claimed is None else cells.part(result.claimed)
    if result.claimed is not None and not result.confirmed:
        claimed = f"{claimed}, {UNCONFIRMED}"
    partly = f", {result.confirmed} of {result.studies} studies" if 0 < result.confirmed < result.studies else ""
    return (
        result.strategy,
        str(result.studies),
        claimed,
        cells.part(result.luck),
        cells.part(result.gain) + (partly if result.gain is not None else ""),
        f"{result.shown} of {result.confirmed}" if result.confirmed else UNCONFIRMED,
    )


def _contrast_row(contrast: Contrast, cells: Cells) -> tuple[str, ...]:
    stated = contrast.verdict != "not stated"
    reverse = contrast.verdict == "reverse shown"
    return (
        f"{contrast.first} against {contrast.second}",
        cells.part(contrast.advantage) if stated else "not stated",
        _p(contrast) if stated else "not stated",
        str(len(contrast.pairs)),
        "shown: it is worse" if reverse else contrast.verdict,
        _settles(contrast, cells) if stated else "; ".join(missing.what for missing in contrast.missing),
    )


def _p(contrast: Contrast) -> str:
    """The one that the verdict rests on; it has to hold with every look at the data."""
    p = contrast.p_reverse_holm if contrast.verdict == "reverse shown" else contrast.p_holm
    return p_cell(p) if contrast.looks == 1 else f"{p_cell(p)}, times {contrast.looks} looks"


def _settles(contrast: Contrast, cells: Cells) -> str:
    """What would settle an open contrast, as far as that can be told."""
    needed = contrast.needed
    if contrast.verdict != "not shown":
        return "is settled"
    if needed is None or (needed.studies is None and needed.repeats is None):
        return "cannot be told"
    ways = [] if needed.studies is None else [f"{needed.studies} studies each"]
    ways += [] if needed.repeats is None else [f"{needed.repeats} confirmation repeats"]
    return " or ".join(ways)


def _how(contrast: Contrast) -> str:
    words = [f"{contrast.first} against {contrast.second}", f"Budget: {contrast.budget}"]
    if contrast.verdict != "not stated":
        words += [f"Method: {contrast.method}", f"Looks: {contrast.looks}"]
    return " ".join(f"{part.rstrip('.')}." for part in (*words, *contrast.remarks))
