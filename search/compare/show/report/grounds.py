"""What the verdict rests on: the noise floor, how reliable the strategies were, and the confirmation's bookkeeping."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from search.compare.analyse.results import Analysis, ConfirmationFacts, Drift, Noise, Reliability
from search.compare.show.numbers import plural
from search.compare.show.pictures.album import Album
from search.compare.show.report.blocks import Block, Bullets, Heading, Image, Paragraph, short, table
from search.compare.show.report.cells import NONE, UNKNOWN, Cells, duration, p_cell, percent
from search.study.identity import flat
from search.study.trial import Status


def noise_floor(analysis: Analysis, album: Album) -> Iterator[Block]:
    noise, cells = analysis.noise, Cells(analysis)
    yield Heading(2, "Noise floor")
    yield Paragraph(
        "How much two training runs of one and the same program differ. A difference that is not clearly larger than this "
        "may be luck. The control trained the unchanged program under fresh seeds; anchors trained it again with the same "
        "seed."
    )
    yield from (Image(picture) for picture in album.noise)
    yield table(("what", "standard deviation (95 % interval)", "measured on"), _spreads(noise, cells))
    known = [drift for drift in noise.drift if drift.p is not None]
    if known:
        yield Paragraph(
            "Drift: how the stock's score moved during each study, in bits per byte and hour; positive is worse."
        )
        yield table(
            ("study", "training runs of the stock", "hours", "slope", "p"), [_drift(drift, cells) for drift in known]
        )
    if len(noise.drift) > len(known):
        few = plural(len(noise.drift) - len(known), "study", "studies")
        yield Paragraph(f"In {few} the stock was trained only twice, which is too few to tell drift from noise.")


def reliability(analysis: Analysis) -> Iterator[Block]:
    rows = analysis.reliability
    yield Heading(2, "Reliability")
    yield Paragraph(
        "How the trials of each strategy ended. Failed trials cost what they used, and count against the budget."
    )
    statuses = [status for status in Status if any(row.statuses.get(status) for row in rows)]
    columns = ("strategy", "trials", *statuses, "failed", "of all: unusable replies", "of all: out of memory", "duplicates")
    yield table(columns, [_endings(row, statuses) for row in rows])
    yield Paragraph("What the trials changed against the program they started from, tried and (in brackets) kept.")
    columns = ("strategy", "constants only", "code only", "both", "flags")
    yield table(columns, [_changes(row) for row in rows])
    yield Paragraph(
        "Where the time went. Waiting for a busy device is part of other; it is not recorded by itself. The "
        "LLM's share is of its time and the trials' time together."
    )
    phases = sorted({phase for row in rows for phase in row.seconds})
    columns = ("strategy", "training, by the clock", *phases, "other", "LLM calls", "LLM time", "LLM share", "LLM dollars")
    yield table(columns, [_time(row, phases) for row in rows])


def confirmation(analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "The confirmation")
    found = analysis.confirmation
    if found is None:
        yield Paragraph(
            "There is none: every gain in this report is unconfirmed. A confirmation trains the stock and the winners "
            "again on fresh seeds, and scores them on text that no study has seen."
        )
        return
    yield Bullets(tuple(_bookkeeping(found)))
    cells = Cells(analysis)
    columns = ("program", "repeats that count", "mean on validation", "mean on unseen text")
    yield table(columns, [_arm(arm.name, arm.validation, arm.confirmation, cells) for arm in found.arms])
    if found.failed:
        yield Paragraph("Repeats without a score that counts:")
        failed = [(short(one.arm), str(one.repeat), one.status, short(one.reason) or NONE) for one in found.failed]
        yield table(("program", "repeat", "how it ended", "reason"), failed)


def task(analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "The task")
    yield Paragraph("What all studies share; studies that differ in any of this are never compared.")
    facts = [(key, short(str(value))) for key, value in sorted(flat(analysis.task_facts).items()) if value is not None]
    yield table(("fact", "value"), [*facts, ("fingerprint", analysis.task_fingerprint[:16])])


def _spreads(noise: Noise, cells: Cells) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    if noise.control is not None:
        failures = plural(noise.control.failures, "failure")
        on = f"{plural(noise.control.trials, 'trial')} of the control ({failures} left out)"
        rows.append(("other training seeds (the noise floor)", cells.spread(noise.control.sd), on))
    within, across = noise.same_seed.within_studies, noise.same_seed.across_studies
    for what, spread in (("same seed, within a study", within), ("same seed, between studies too", across)):
        degrees = "too few anchors" if spread is None else f"anchors, {spread.degrees} degrees of freedom"
        rows.append((what, cells.spread(spread), degrees))
    return rows


def _drift(drift: Drift, cells: Cells) -> tuple[str, ...]:
    return (cells.study(drift.study), str(drift.runs), f"{drift.hours:.2f}", cells.part(drift.slope), p_cell(drift.p))


def _endings(row: Reliability, statuses: Sequence[Status]) -> tuple[str, ...]:
    return (
        row.strategy,
        str(row.trials),
        *(str(row.statuses.get(status, 0)) for status in statuses),
        percent(row.failed_share),
        percent(row.unusable_share),
        percent(row.out_of_memory_share),
        str(row.duplicates),
    )


def _changes(row: Reliability) -> tuple[str, ...]:
    changes = row.changes
    flags = ", ".join(f"{name}: {count}" for name, count in sorted(row.flags.items()))
    return (
        row.strategy,
        f"{changes.constants} ({changes.constants_kept})",
        f"{changes.code} ({changes.code_kept})",
        f"{changes.both} ({changes.both_kept})",
        flags or NONE,
    )


def _time(row: Reliability, phases: Sequence[str]) -> tuple[str, ...]:
    calls, seconds, usd = row.llm_calls, row.llm_seconds, row.llm_usd
    asked = calls is not None
    return (
        row.strategy,
        duration(3600 * row.train_hours),
        *(duration(row.seconds.get(phase, 0.0)) for phase in phases),
        duration(row.other_seconds),
        str(calls) if asked else NONE,
        (UNKNOWN if asked else NONE) if seconds is None else duration(seconds),
        percent(row.llm_share) if asked else NONE,
        (UNKNOWN if asked else NONE) if usd is None else f"{usd:.2f}",
    )


def _bookkeeping(found: ConfirmationFacts) -> Iterator[str]:
    yield f"Repeats planned at first: {found.planned}; now: {found.repeats}."
    if found.looks == 1:
        yield "Looks: 1. The plan was never extended."
    else:
        yield f"Looks: {found.looks}. The plan was extended after results were known; p-values are held to account for it."
    if found.top > 1:
        yield f"The best {found.top} trials of each study were screened first, on seeds that count for nothing else."
    yield f"Repeats not run yet: {found.unfinished}. Failed: {len(found.failed)}."


def _arm(name: str, validation: Sequence[float], unseen: Sequence[float], cells: Cells) -> tuple[str, ...]:
    means = [cells.score(statistics.fmean(scores)) if scores else UNKNOWN for scores in (validation, unseen)]
    return (short(name), str(len(validation)), *means)
