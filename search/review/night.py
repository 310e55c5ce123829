"""What `python -m search.review` does: from a log to a page on disk and a few lines on the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.config.commands import ReviewConfig
from search.config.files import unwritable, write_whole
from search.config.messages import UserError, command
from search.config.places import MLRUNS, resolve
from search.page.text import plain
from search.review.analysis import Review
from search.review.analysis import review as judge
from search.review.noise import noise_of, other_ways
from search.review.read.log import Log, read_log
from search.review.repository import Program, programs

REVIEWS = MLRUNS / "reviews"


def review(config: ReviewConfig) -> None:
    """Print the verdict and write the page. Raises UserError."""
    if config.log is None:
        raise UserError(f"log: is not set; give the file, as in {command('search.review', 'log=results.tsv')}")
    log, reviewed = reviewed_log(resolve(config.log), config)
    folder = REVIEWS / re.sub(r"^\.+|[^\w.-]+", "-", log.name) if config.out is None else resolve(config.out)
    kept = () if config.repository is None else programs(resolve(config.repository), config.program, reviewed.keeps)
    _print(log, reviewed)
    if kept:
        counts = Counter(program.found for program in kept)
        print(f"Kept programs: {', '.join(f'{count} {found}' for found, count in counts.items())}.")
    pages = _write(folder, log, reviewed, config.minutes, kept)
    print(f"report: {folder / 'report.html'}")
    if config.experiment is not None:
        _import(config, log, reviewed, {**pages, f"log/{log.name}": resolve(config.log)})


def reviewed_log(path: Path, config: ReviewConfig) -> tuple[Log, Review]:
    """Raises UserError where the log cannot be read, or leaves a choice."""
    log = read_log(path, config)
    return log, judge(log, noise_of(log, config.noise), other_ways(log, config.noise), config.minutes)


def _print(log: Log, reviewed: Review) -> None:
    from search.review.show.page import numbers_of
    from search.review.show.verdict import verdict_of

    counts = ", ".join(f"{count} {word}" for word, count in reviewed.counts.items())
    print(plain(f"{log.name}: {reviewed.trials} trials ({counts}). {' '.join(reviewed.said)}"))
    for sentence in verdict_of(reviewed, numbers_of(log)):
        print(plain(sentence))
    if reviewed.noise is None:
        for way in reviewed.other_noise:
            print(plain(f"Repeats, if they are some: {way}."))
        print("To know: give noise.sd=, or noise.published=, or train the start again.")
    for test in reviewed.tests[:2]:
        print(plain(f"{test.question} {test.runs} runs of {' and '.join(test.programs)}: {test.hours:.1f} device hours."))


def _write(folder: Path, log: Log, reviewed: Review, minutes: float, kept: Sequence[Program]) -> dict[str, Path]:
    """The page's files by their names."""
    from search.review.show.page import files_of

    written = {}
    try:
        for name, data in files_of(log, reviewed, minutes, kept):
            write_whole(folder / name, data)
            written[name] = folder / name
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    return written


def _import(config: ReviewConfig, log: Log, reviewed: Review, files: Mapping[str, Path]) -> None:
    from search.review.imported import publish
    from search.review.show.page import numbers_of
    from search.review.show.verdict import verdict_of
    from search.tracking.links import directions
    from search.tracking.store import absolute

    assert config.experiment is not None and config.log is not None
    at, uri = resolve(config.log).stat().st_mtime, config.tracking.uri
    page = publish(uri, config.experiment, log, verdict_of(reviewed, numbers_of(log)), files, at)
    print(f"imported into the experiment {config.experiment}; no comparison counts it")
    for line in directions(absolute(uri), page):
        print(line)
