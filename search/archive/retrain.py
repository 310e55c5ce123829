"""Trains a sample of an archive's trials again on this machine, in the sandbox, as any candidate."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from search.archive.ground import Here
from search.archive.judge import Again
from search.archive.unpack import Archive
from search.config.messages import UserError
from search.executor.local import Runner, make_runner
from search.study.request import TrialRequest
from search.study.schedule import Entry
from search.study.trial import Candidate, Origin
from search.study.winner import winner_of


def drawn(archive: Archive, sample: int) -> list[Entry]:
    """The stock, with which all else is compared, the winner, and others drawn by the system's entropy, so nobody who
    edits a score can know whether that trial is drawn. Raises UserError if the stock has no score."""
    scored = {entry.number: entry for entry in archive.entries if entry.trial.val_bpb is not None}
    stock, winner = scored.get(0), winner_of(archive.entries)
    if stock is None:
        raise UserError("the archive's stock has no score, so its trials cannot be compared with anything")
    chosen = {0: stock, **({} if winner is None else {winner.number: winner})}
    others = [entry for number, entry in scored.items() if number not in chosen and entry.origin is not Origin.ANCHOR]
    more = random.SystemRandom().sample(others, min(len(others), max(0, sample - len(chosen))))
    return [*list(chosen.values())[:sample], *more]


def expected_seconds(entries: Sequence[Entry]) -> float:
    """As long as they took on the machine of the record."""
    return sum(sum(entry.trial.outcome.seconds.values()) for entry in entries)


def retrained(archive: Archive, entries: Sequence[Entry], here: Here, folder: Path) -> Iterator[Again]:
    """Trains one after the other, the stock first. Raises UserError as `make_runner` does."""
    confirming = archive.header["role"] != "study"
    with closing(make_runner(here.config, here.prepared, folder, confirming)) as runner:
        yield from again(entries, runner, folder)


def again(entries: Sequence[Entry], runner: Runner, folder: Path) -> Iterator[Again]:
    stock = None
    for entry in entries:
        candidate = entry.trial.candidate
        assert isinstance(candidate, Candidate)
        logs = folder / "logs" / str(entry.number)
        request = TrialRequest(candidate.source, entry.training_seed, logs, None, stock is None, True, stock)
        outcome = runner.run(request, lambda progress: None)
        stock = outcome.spent if stock is None else stock
        yield Again(entry, outcome)
