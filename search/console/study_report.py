"""The report that a study leaves in its folder, as JSON and in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from search.config.files import unwritable, write_whole
from search.config.messages import UserError, many
from search.confirm.results import gains_by_program
from search.confirm.studies import CONFIRMATION
from search.page import text
from search.study.journal import FILE as JOURNAL
from search.study.journal import Journal
from search.study.reading import read_lines, read_schedule, read_text
from search.study.report import FILE, PAGE, Report, report_of
from search.study.schedule import Asked

ROWS = 100  # of the dead ends, in words


def write_report(journal: Journal) -> None:
    """Bring the report of a study up to date with its journal, and with the experiment's confirmation. Raises UserError
    if it cannot be written."""
    assert journal.header is not None
    ends = [str(line["reason"]) for line in journal.lines if line["kind"] == "ended"]
    floors = [step.noise_floor for step in journal.schedule.steps if isinstance(step, Asked)]
    confirmed = _confirmed(journal.folder.parents[1] / CONFIRMATION / "0")
    ended, floor = ends[-1] if ends else "", floors[-1] if floors else None
    report = report_of(journal.header, journal.entries, ended, floor, confirmed)
    for name, words in ((FILE, json.dumps(report, indent=1, allow_nan=False)), (PAGE, "\n".join(in_words(report)))):
        try:
            write_whole(journal.folder / name, f"{words}\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise unwritable(journal.folder / name, error) from error


def refresh(folder: Path, say: Callable[[str], None]) -> None:
    """Bring a study's report up to date, unless the study is being run, which does so itself at its end. Raises as
    `write_report`."""
    try:
        journal = Journal(folder, say)
    except UserError as error:
        say(f"its report was not updated: {error}")
        return
    with journal:
        write_report(journal)


def _confirmed(folder: Path) -> dict[str, list[float]]:
    """Gains over the stock in the blocks of a confirmation so far, by a program's hash. It may be under way."""
    path = folder / JOURNAL
    if not path.is_file():
        return {}
    data = path.read_bytes()
    lines = read_lines(path, data[: data.rfind(b"\n") + 1])
    return gains_by_program(read_schedule(path, lines, partial(read_text, folder)).entries)


def in_words(report: Report) -> Iterator[str]:
    """The lines of its Markdown. Text of candidates and LLMs is escaped."""
    yield f"# Report of {text.markdown(report['study'])}"
    yield ""
    yield f"- Spent: {_spent(report['spent'])}"
    yield f"- Ended: {text.markdown(report['ended']) or 'not yet'}"
    floor = report["noise_floor"]
    noise = "unknown" if floor is None else f"standard deviation {floor['sd']:.4f} ({floor['trials']} trials of the control)"
    yield f"- Noise floor: {noise}"
    yield f"- Winner: {_winner(report['winner'], report['stock_val_bpb'])}"
    if (hopes := report["expectations"]) is not None:
        means = f"{hopes['expected']:+.4f} and {hopes['measured']:+.4f} on average"
        yield f"- Expected and measured, over {hopes['ideas']} ideas: {means}; {hopes['better']} made val_bpb lower"
    yield from (f"- Reads: {text.markdown(note['study'])}" for note in report["reads"])
    yield from _table("Findings (kept)", report["findings"])
    yield from _table("Dead ends (tried, but not kept)", report["dead_ends"])
    yield from _directions(report["directions"])
    if report["winner"] is not None and report["winner"]["diff"]:
        yield from ("", "## The winner's change from the stock", "")
        yield from (f"    {line}" for line in text.verbatim(report["winner"]["diff"]).splitlines())


def _spent(spent: Mapping[str, Any]) -> str:
    words = f"{spent['trials']} trials, {spent['train_hours']:.2f} training hours"
    if not spent["llm_calls"]:
        return words
    roles = ", ".join(f"{role}: {_dollars(usd)}" for role, usd in spent["usd_by_role"].items())
    return f"{words}, {spent['llm_calls']} calls, {_dollars(spent['usd'])}{f' ({roles})' if roles else ''}"


def _winner(winner: Mapping[str, Any] | None, stock: float | None) -> str:
    if winner is None or stock is None:
        return "none: no trial has a score"
    return (
        f"trial {winner['trial']} ({text.markdown(winner['note'])}), val_bpb {winner['val_bpb']:.4f}, {winner['gain']:+.4f} "
        f"over the stock ({stock:.4f}). {_again(winner['confirmed'])}"
    )


def _again(confirmed: Mapping[str, Any] | None) -> str:
    if confirmed is None:
        return "Not confirmed: the best of many noisy scores looks better than it is"
    blocks = many(confirmed["blocks"], "block")
    return f"Trained again in {blocks}, on text that no study has seen: {confirmed['gain']:+.4f} over the stock there"


def _table(title: str, ideas: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not ideas:
        return
    yield from (
        "",
        f"## {title}",
        "",
        "| trial | edit | difference | expected | verdict |",
        "|---|---|---|---|---|",
    )
    for idea in ideas[-ROWS:]:
        difference = idea["status"] if idea["difference"] is None else f"{idea['difference']:+.4f}"
        expected = "" if idea["expected"] is None else f"{idea['expected']:+.4f}"
        note, reason = (text.markdown(text.short(idea[name])) for name in ("note", "reason"))
        yield f"| {idea['trial']} | {note} | {difference} | {expected} | {reason} |"
    if len(ideas) > ROWS:
        yield from ("", f"These are the last {ROWS} of {len(ideas)}; {FILE} has all.")


def _directions(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", "## Directions", "")
    for row in rows:
        trials = ", ".join(map(str, row["trials"]))
        yield f"- {text.markdown(row['direction'])}, trials {trials}. {text.markdown(row['report'] or 'No report.')}"


def _dollars(usd: float | None) -> str:
    return "dollars unknown" if usd is None else f"${usd:.4g}"
