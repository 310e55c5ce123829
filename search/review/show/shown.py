"""Holds everything that a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.review.again.effects import Again
from search.review.analysis import Review
from search.review.read.log import Log
from search.review.repository import Program
from search.review.show.again import others, sentence
from search.review.show.numbers import Numbers
from search.review.show.verdict import verdict_of

DECIMALS = 4


@dataclass(frozen=True)
class Shown:
    """A review with what belongs to it. `minutes`: of one training run. `programs`: the kept ones, if a repository was
    given. `again`: what running them again has shown."""

    log: Log
    reviewed: Review
    minutes: float
    programs: Sequence[Program] = ()
    again: Again | None = None

    @property
    def numbers(self) -> Numbers:
        """Numbers with as many decimals as the log has. Of scores that were run again four count, for a log may be
        rounded."""
        logged = [trial.score for trial in self.log.scored if trial.score is not None]
        runs = () if self.again is None else self.again.runs
        printed = [round(run["value"], DECIMALS) for run in runs if run["value"] is not None]
        return Numbers([*logged, *printed], self.log.unit)

    @property
    def verdict(self) -> tuple[str, ...]:
        """The verdict in sentences, the most important first: runs on this machine say more than a log does."""
        by_log = verdict_of(self.reviewed, self.numbers)
        if self.again is None:
            return by_log
        return (*self.said_again, f"From the log alone: {by_log[0]}", *by_log[1:])

    @property
    def said_again(self) -> tuple[str, ...]:
        """What running again has shown, in sentences; empty if nothing was run."""
        if self.again is None:
            return ()
        return tuple(filter(None, (sentence(self.again, self.numbers), others(self.again))))
