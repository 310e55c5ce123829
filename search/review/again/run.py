"""Runs what is planned, one program after the other, and keeps a record that a later start continues."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.config.commands import ReviewConfig
from search.config.files import remove_tree, unwritable, write_whole
from search.config.messages import UserError
from search.page.numbers import duration, plural
from search.review.again.effects import Again, effects_of, failures
from search.review.again.plan import WARM_UP, Plan, Planned
from search.review.again.record import INTERRUPTED, PLANNED, RUN, Line, Record
from search.review.git import write_tree
from search.runner import plain
from search.runner.plain import PRINTED, Way
from search.runner.printed import Metric

LIMIT = 3  # times as long as one run should take
SHORTEST_LIMIT = 60.0  # seconds: the least limit that follows from the time of the start
WORK, OUTPUTS = "work", "outputs"  # folders beside the page


@dataclass
class Runs:
    """One start of the runs."""

    repository: Path
    plan: Plan
    way: Way
    metric: Metric
    lower: bool
    config: ReviewConfig
    record: Record
    say: Callable[[str], None]

    def run_all(self) -> None:
        """Runs all that is left. Raises UserError if the start does not run in the warm-up, and KeyboardInterrupt; every run
        that has ended is then on record."""
        planned = self.plan.schedule()
        for at, one in enumerate(planned, 1):
            if self._done(one):
                continue
            run = self._run(one)
            self.say(f"run {at} of {len(planned)}, {_where(one)}: {_told(run, self.metric.name)}")
            if one.block == WARM_UP:
                self._check_start(run)

    def result(self) -> Again:
        """Returns what the runs have shown so far."""
        runs, looks = self.record.of(RUN), len(self.record.of(PLANNED))
        return Again(
            effects=effects_of(self.plan, runs, self.lower, looks, finished=not self.left),
            missing=self.plan.missing,
            runs=tuple(runs),
            left=len(self.left),
            looks=looks,
            start_failed=failures(run for run in runs if run["trial"] == self.plan.start.trial),
            way=self.record.of(PLANNED)[0],
            scores=PRINTED,
        )

    @property
    def left(self) -> list[Planned]:
        return [one for one in self.plan.schedule() if not self._done(one)]

    def announce(self) -> None:
        """Says what will be run, and how long that takes."""
        left, plan = self.left, self.plan
        for trial, why in plan.missing:
            self.say(f"trial {trial} is not run: {why}")
        if not left:
            self.say("everything planned has been run")
            return
        warmed = self._warm_up()
        seconds = self.config.minutes * 60 if warmed is None else warmed["seconds"]
        each = f"at minutes={self.config.minutes:g} for each" if warmed is None else "at the time that the start took"
        warm = "" if warmed is not None else "the start once to warm up, then "
        self.say(
            f"to run: {plural(len(left), 'run')}, about {duration(len(left) * seconds)} {each}: {warm}the start and "
            f"{plural(len(plan.keeps), 'keep')} in {plural(plan.repeats, 'block')}, in an order drawn at random"
        )
        self.say(f"sandbox: {self.way.sandbox}; every score is a {PRINTED}. Ctrl-C stops; run the same command to resume")

    def _done(self, one: Planned) -> bool:
        if one.block == WARM_UP:
            return self._warm_up() is not None
        return any((run["block"], run["trial"]) == (one.block, one.arm.trial) for run in self.record.of(RUN))

    def _warm_up(self) -> Line | None:
        """Returns a warm-up that went well."""
        return next((run for run in self.record.of(RUN) if run["block"] == WARM_UP and run["value"] is not None), None)

    def _limit(self) -> float:
        if self.config.plain.seconds is not None:
            return self.config.plain.seconds
        warmed = self._warm_up()
        return LIMIT * self.config.minutes * 60 if warmed is None else max(SHORTEST_LIMIT, LIMIT * warmed["seconds"])

    def _run(self, one: Planned) -> Line:
        number, limit = len(self.record.of(RUN)) + 1, self._limit()
        about = {"number": number, "block": one.block, "trial": one.arm.trial, "commit": one.arm.commit}
        try:
            with _room(self.record.path.parent / WORK) as folder:
                write_tree(self.repository, one.arm.commit, folder)
                ran = plain.run(folder, self.way, self.metric, limit, self._waiting)
        except KeyboardInterrupt:
            self.record.append(INTERRUPTED, about)
            raise
        output = self.record.path.parent / OUTPUTS / f"{number:04d}.txt"
        try:
            write_whole(output, ran.output.encode())
        except OSError as error:
            raise unwritable(output, error) from error
        told = {"end": str(ran.end), "value": ran.value, "reason": ran.reason, "seconds": ran.seconds}
        self.record.append(
            RUN, {**about, **told, "limit": limit, "device": ran.device, "output": f"{OUTPUTS}/{output.name}"}
        )
        return self.record.lines[-1]

    def _waiting(self, holders: str) -> None:
        self.say(f"waiting for a free device{f': {holders}' if holders else ''}")

    def _check_start(self, run: Line) -> None:
        if run["value"] is None:
            raise UserError(
                f"runner=plain: the start does not run here ({run['end']}: {run['reason']}); its output is in "
                f"{self.record.path.parent / run['output']}.\nFix that (plain.command=, plain.python=, plain.shown= and "
                "others, see conf/review.yaml), and run the same command again"
            )


@contextmanager
def _room(work: Path) -> Iterator[Path]:
    """Makes an empty folder for one run."""
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        yield folder
    finally:
        remove_tree(work)


def _where(one: Planned) -> str:
    return f"{'warm-up' if one.block == WARM_UP else f'block {one.block}'}, trial {one.arm.trial}"


def _told(run: Line, metric: str) -> str:
    what = f"{metric} {run['value']:g}" if run["value"] is not None else f"{run['end']}: {run['reason']}"
    return f"{what} ({duration(run['seconds'])})"
