"""The studies one by one: how they went, what each claims, and what its gain is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search.compare.analyse.results import Analysis, Gain, StrategyResult, StudyResult
from search.compare.show.pictures.album import Album
from search.compare.show.report import speed
from search.compare.show.report.blocks import Block, Heading, Image, Paragraph, short, table
from search.compare.show.report.cells import NONE, UNCONFIRMED, UNKNOWN, Cells, constant, p_cell, study_verdict


def curves(analysis: Analysis, album: Album) -> Iterator[Block]:
    yield Heading(2, "How the studies went")
    yield Paragraph(
        "Best score so far, as the studies saw it. A curve can only fall, with luck too: the best of many noisy trials is "
        "better than the program. What the curves promise is unconfirmed; the tables say what is left of it."
    )
    yield from (Image(picture) for picture in album.curves)
    yield Paragraph(
        "Each study (strategy/search seed) with its winner (its best trial). Luck alone is what the best of as many "
        "training runs of the unchanged program is expected to reach; it is shown for comparison, and subtracted from "
        "nobody. The last two columns hold for one study at a time."
    )
    if analysis.speed is not None:
        yield Paragraph(
            "The winner's speed is its tokens per second in multiples of the stock's, in the confirmation and repeat by "
            "repeat. A study tells none: it chose by the score, and so for a quick minute too. A program's own process "
            "counts its tokens, and nothing checks that count. Where the speed is above 1, and its interval too, the gain "
            "comes at least in part from cheaper steps, which see more tokens; where it is 1 or less, from learning more "
            "per token."
        )
    cells = Cells(analysis)
    columns = (
        *("study", "trials with a score", "winner's search score", "luck alone", "claimed gain"),
        *("confirmed gain", *_with_speed(analysis, "winner's speed"), "p (one-sided)", "gain"),
    )
    yield table(columns, [_study_row(study, analysis, cells) for study in _in_order(analysis)])
    if any(study.stock_from == "own stock" and study.winner is not None for study in analysis.studies):
        yield Paragraph("There is no control: claims are measured from the one training of the stock in each study.")


def decomposition(analysis: Analysis, album: Album) -> Iterator[Block]:
    yield Heading(2, "What the gains are made of")
    if analysis.confirmation is None:
        yield Paragraph(f"Not known: all gains are {UNCONFIRMED}, and only a confirmation can take them apart.")
        return
    yield Paragraph(
        "Claimed gain = luck + stock's shift + tuning + code and interaction. Luck is what the winner's search score was "
        "too good by. The stock's shift is how much the stock itself moved between the studies and the confirmation, as "
        "with the machine's drift. Tuning is the gain of the winner's constants put into the stock's code. Code and "
        "interaction is the rest: what the changed code brings, alone or together with those constants."
    )
    yield from (Image(picture) for picture in album.waterfalls)
    cells = Cells(analysis)
    shift, found = ("claimed gain", "luck", "stock's shift"), ("tuning", "code and interaction")
    sums = ("confirmed on validation", "confirmed on unseen text", "overfitting")
    yield Paragraph("Means over the confirmed studies of each strategy; in brackets the 95 % interval.")
    strategies = [_strategy_parts(result, cells) for result in analysis.strategies]
    yield table(("strategy", *shift, *found, *sums), strategies)
    by_speed = _with_speed(analysis, "of the shift: the machine's speed")
    explained = " How much of the shift the machine's speed explains is for information, and changes no other number."
    yield Paragraph(f"Each winner by itself.{explained if by_speed else ''}")
    studies = [_study_parts(study, analysis, cells) for study in _in_order(analysis)]
    yield table(("study", *shift, *by_speed, *found, *sums), studies)


def changes(analysis: Analysis) -> Iterator[Block]:
    """Which constants and which edits the winners carry."""
    changed = [study for study in _in_order(analysis) if study.winner is not None and study.kind != "none"]
    if not changed:
        return
    yield Heading(2, "What the winners changed")
    yield Paragraph(
        "Tuning is measured for all constants of a winner together, and code for all its edits together; what a single one "
        "of them brings is not known. Constants left in code are ones that the stock's code does not have: they count as "
        "code."
    )
    cells = Cells(analysis)
    columns = ("study", "kind of change", "constants, from the stock's to the winner's", "left in code")
    yield table(columns, [_changed(study, cells) for study in changed])
    edits = [row for study in changed for row in _edit_rows(study, cells)]
    if edits:
        yield Paragraph("The steps from the stock to each winner; their scores are single search scores, unconfirmed.")
        yield table(("study", "trial", "kind of change", "note of the strategy", "search score"), edits)


def _in_order(analysis: Analysis) -> list[StudyResult]:
    """By strategy, in the order of the headline, and search seed."""
    ranks = {result.strategy: rank for rank, result in enumerate(analysis.strategies)}
    return sorted(analysis.studies, key=lambda study: (ranks[study.strategy], study.search_seed))


def _with_speed(analysis: Analysis, cell: str) -> tuple[str, ...]:
    """A cell, or its column, that is there only where speed is part of a score."""
    return () if analysis.speed is None else (cell,)


def _study_row(study: StudyResult, analysis: Analysis, cells: Cells) -> tuple[str, ...]:
    luck = cells.score(study.null_expected) + (" (extrapolated)" if study.null_extrapolated else "")
    claimed = cells.gain(study.claimed)
    confirmed = study.confirmed
    absent = UNCONFIRMED if confirmed is None else UNKNOWN
    quickness = "" if analysis.speed is None else speed.winner(analysis.speed, study.study, absent)
    return (
        cells.study(study.study),
        f"{study.scored} of {study.trials}",
        cells.score(study.search_score),
        luck,
        claimed if confirmed or study.claimed is None else f"{claimed}, {UNCONFIRMED}",
        UNCONFIRMED if confirmed is None else cells.part(confirmed.gain.estimate),
        *_with_speed(analysis, quickness),
        UNCONFIRMED if confirmed is None else _p(confirmed.gain),
        study_verdict(study),
    )


def _p(gain: Gain) -> str:
    return NONE if gain.estimate.by_definition else p_cell(gain.p)


def _strategy_parts(result: StrategyResult, cells: Cells) -> tuple[str, ...]:
    claimed = cells.part(result.claimed, UNKNOWN)
    parts = (
        *(result.luck, result.stock_shift, result.tuning, result.code_and_interaction),
        *(result.gain_on_validation, result.gain, result.overfitting),
    )
    return (result.strategy, claimed, *(cells.part(part) for part in parts))


def _study_parts(study: StudyResult, analysis: Analysis, cells: Cells) -> tuple[str, ...]:
    confirmed = study.confirmed
    found = None if confirmed is None else confirmed.decomposition
    luck, shift, tuning, code = (
        (None,) * 4 if found is None else (found.luck, found.stock_shift, found.tuning, found.code_and_interaction)
    )
    sums = (
        (None,) * 3
        if confirmed is None
        else (confirmed.gain_on_validation.estimate, confirmed.gain.estimate, confirmed.overfitting)
    )
    by_speed = "" if analysis.speed is None else speed.of_shift(analysis.speed, study.study, cells)
    return (
        *(cells.study(study.study), cells.gain(study.claimed), cells.part(luck), cells.part(shift)),
        *_with_speed(analysis, UNCONFIRMED if found is None else by_speed),
        *(cells.part(part) for part in (tuning, code, *sums)),
    )


def _changed(study: StudyResult, cells: Cells) -> tuple[str, ...]:
    constants = [
        f"{change.name} from {UNKNOWN if change.stock is None else constant(change.stock)} to {constant(change.winner)}"
        for change in study.constants
    ]
    left = ", ".join(short(name) for name in study.left_in_code)
    return cells.study(study.study), study.kind or UNKNOWN, "; ".join(constants) or NONE, left or NONE


def _edit_rows(study: StudyResult, cells: Cells) -> Sequence[tuple[str, ...]]:
    return [
        (
            cells.study(study.study),
            str(edit.trial),
            edit.kind or UNKNOWN,
            short(edit.note) or NONE,
            cells.score(edit.val_bpb),
        )
        for edit in study.edits
    ]
