"""Does what `python -m search.review` does: turns a log into a page on disk and a few lines on the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
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
from search.review.repository import Found, programs
from search.review.show.shown import Shown

REVIEWS = MLRUNS / "reviews"


def review(config: ReviewConfig) -> None:
    """Prints the verdict and writes the page. Raises UserError."""
    if config.log is None:
        raise UserError(f"log: is not set; give the file, as in {command('search.review', 'log=results.tsv')}")
    log, reviewed = reviewed_log(resolve(config.log), config)
    folder = REVIEWS / re.sub(r"^\.+|[^\w.-]+", "-", log.name) if config.out is None else resolve(config.out)
    kept = () if config.repository is None else programs(resolve(config.repository), config.program, reviewed.keeps)
    shown = Shown(log, reviewed, config.minutes, kept)
    _print(shown)
    if config.runner is None:
        _publish(config, folder, shown)
        _say_how(config, folder, shown)
    else:
        _run_again(config, folder, shown)


def reviewed_log(path: Path, config: ReviewConfig) -> tuple[Log, Review]:
    """Reads and judges a log. Raises UserError if it cannot be read, or can be read in several ways."""
    log = read_log(path, config)
    return log, judge(log, noise_of(log, config.noise), other_ways(log, config.noise), config.minutes)


def _print(shown: Shown) -> None:
    log, reviewed = shown.log, shown.reviewed
    counts = ", ".join(f"{count} {word}" for word, count in reviewed.counts.items())
    _say(f"{log.name}: {reviewed.trials} trials ({counts}). {' '.join(reviewed.said)}")
    for sentence in shown.verdict:
        _say(sentence)
    if reviewed.noise is None:
        for way in reviewed.other_noise:
            _say(f"Possible repeats: {way}.")
        _say("To find out, give noise.sd= or noise.published=, or train the start again.")
    for test in reviewed.tests[:2]:
        _say(f"{test.question} It takes {test.runs} runs of {' and '.join(test.programs)}: {test.hours:.1f} device hours.")
    if shown.programs:
        found = Counter(program.found for program in shown.programs)
        _say(f"The kept programs: {', '.join(f'{count} {what}' for what, count in found.items())}.")


def _say_how(config: ReviewConfig, folder: Path, shown: Shown) -> None:
    """Says how to run the kept programs on this machine."""
    if not shown.programs or len(shown.reviewed.keeps) < 2:
        return
    from search.review.ours import commands

    keeps = shown.reviewed.keeps
    if found := commands(shown.log.name, folder, keeps, shown.programs, config.keeps, config.repeats):
        _say("These commands train the kept programs here, confirm them on fresh seeds and unseen text, and compare them:")
        for line in found:
            print(line)
    elif any(program.found is Found.OTHERS for program in shown.programs):
        runs = 1 + 2 * config.repeats
        hours = f"{runs} runs, about {runs * config.minutes / 60:.1f} hours"
        _say(f"To run the start and the best keep again here, unchanged, add runner=plain to this command: {hours}.")


def _run_again(config: ReviewConfig, folder: Path, shown: Shown) -> None:
    """Runs programs again. However that ends, the page then says what is known."""
    from search.review.again.opened import open_again

    with open_again(config, folder, shown, _say) as runs:
        runs.announce()
        try:
            runs.run_all()
        except (KeyboardInterrupt, UserError):
            _write(folder, replace(shown, again=runs.result()))
            print(f"report: {folder / 'report.html'}")
            raise
        shown = replace(shown, again=runs.result())
    for sentence in shown.said_again:
        _say(sentence)
    _publish(config, folder, shown)


def _publish(config: ReviewConfig, folder: Path, shown: Shown) -> None:
    assert config.log is not None
    pages = _write(folder, shown)
    print(f"report: {folder / 'report.html'}")
    if config.experiment is not None:
        _import(config, shown, {**pages, f"log/{shown.log.name}": resolve(config.log)})


def _write(folder: Path, shown: Shown) -> dict[str, Path]:
    """Writes the page's files. Returns them by name."""
    from search.review.show.page import files_of

    written = {}
    try:
        for name, data in files_of(shown):
            write_whole(folder / name, data)
            written[name] = folder / name
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    return written


def _import(config: ReviewConfig, shown: Shown, files: Mapping[str, Path]) -> None:
    from search.review.imported import publish
    from search.tracking.links import directions
    from search.tracking.store import absolute

    assert config.experiment is not None and config.log is not None
    at, uri = resolve(config.log).stat().st_mtime, config.tracking.uri
    page = publish(uri, config.experiment, shown, files, at)
    print(f"imported into the experiment {config.experiment}; no comparison counts it")
    for line in directions(absolute(uri), config.experiment, page):
        print(line)


def _say(text: str) -> None:
    print(plain(text), flush=True)
