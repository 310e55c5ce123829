"""One function for each promise. Each takes a strategy and an empty folder, and raises AssertionError if the promise is
broken."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from search.study import source
from search.study.journal import FILE, Journal
from search.study.schedule import Asked, Entry, Rebased, Started
from search.study.trial import Candidate, Origin, Status, Trial, Unusable, Verdict
from search.testing.subject import TRIALS, Subject
from search.testing.synthetic import FAILURES, Dies, DiesAt, FailsOn, Several, SyntheticRunner


def trains_the_stock_first_and_no_program_twice(subject: Subject, folder: Path) -> None:
    """All trials of the budget are used, the first for the stock, and no program is trained twice under one seed."""
    runner = SyntheticRunner()
    trials = subject.study(folder, runner=runner)
    assert len(trials) == TRIALS, f"{len(trials)} of {TRIALS} trials"
    assert trials[0].origin is Origin.STOCK, "the first trial is not the stock"
    trained = [(source.program_hash(request.source), request.training_seed) for request in runner.requests]
    assert len(set(trained)) == len(trained), "a program was trained twice under the same training seed"


def obeys_its_seed_and_takes_zero_for_one(subject: Subject, folder: Path) -> None:
    """The search seed decides what is trained: 0 like any other, and another seed gives other training runs."""
    first, again, other = (_trained(subject, folder / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first == again, "the same seed, 0, gave other training runs"
    assert first != other, "seeds 0 and 1 gave the same training runs"


def survives_every_failure(subject: Subject, folder: Path) -> None:
    """It continues after trials that crash, run out of memory, time out, diverge, or are disqualified or pruned. Its verdict
    on a trial with a score says that score, or by how much it is better or worse."""
    trials = subject.study(folder, runner=FailsOn(fails=lambda number: 3 <= number < 3 + len(FAILURES)))
    assert len(trials) == TRIALS, f"ended after {len(trials)} of {TRIALS} trials, the last {trials[-1].status}"
    missing = set(FAILURES) - {trial.status for trial in trials}
    assert not missing, f"never met {missing}"
    assert all((trial.val_bpb is None) == (trial.status is not Status.COMPLETED) for trial in trials), "scores of failures"
    bare = [verdict.reason for verdict in _verdicts(folder) if not re.search(r"\d\.\d", verdict.reason)]
    assert not bare, f"verdicts on scores without a number: {bare}"


def resumes_exactly(subject: Subject, folder: Path) -> None:
    """Killed early or late, it continues as if it had not been, and trains nothing again."""
    whole = subject.study(folder / "whole")
    for dies_at in (1, 9):
        cut = folder / str(dies_at)
        with contextlib.suppress(Dies):
            subject.study(cut, runner=DiesAt(at=dies_at))
        runner = SyntheticRunner()
        resumed = subject.study(cut, runner=runner)
        assert _answers(resumed) == _answers(whole), f"proposes something else after a death in trial {dies_at}"
        assert [trial.val_bpb for trial in resumed] == [trial.val_bpb for trial in whole], "other scores"
        assert len(runner.requests) <= TRIALS - dies_at, "trained finished trials again"


def resumes_exactly_whatever_ends_first(subject: Subject, folder: Path) -> None:
    """With several trials at once, which end in any order, and killed at any moment: what is asked and told is the same, and
    nothing that had ended is trained again."""
    for order in range(2):
        several = Several(parallel=3, ahead=order, order=order)
        whole = folder / f"whole-{order}"
        subject.study(whole, anchor_every=5, several=several)
        lines = (whole / FILE).read_bytes().splitlines(keepends=True)
        for at in random.Random(order).sample(range(1, len(lines)), 4):
            cut, runner = folder / f"cut-{order}-{at}", SyntheticRunner()
            shutil.copytree(whole, cut)
            (cut / FILE).write_bytes(b"".join(lines[:at]))
            trials = subject.study(cut, anchor_every=5, several=several, runner=runner)
            assert _steps(cut) == _steps(whole), f"asks for or makes something else after a death at line {at}"
            ended = sum(b'"told"' in line for line in lines[:at])
            assert len(runner.requests) <= len(trials) - ended, "trained ended trials again"


def extends_exactly(subject: Subject, folder: Path) -> None:
    """A study whose budget grows is the study that had this budget from the beginning, anchors included."""
    whole = subject.study(folder / "whole", seed=3, anchor_every=4)
    subject.study(folder / "grown", seed=3, anchor_every=4, trials=5)
    grown = subject.study(folder / "grown", seed=3, anchor_every=4)
    assert _answers(grown) == _answers(whole), "proposes something else in a study that was extended"
    assert [trial.origin for trial in grown] == [trial.origin for trial in whole], "other anchors"


def proposes_the_same_in_another_process(subject: Subject, folder: Path) -> None:
    """With the same seed, whatever order that process gives to sets."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        there = other.submit(_described, subject, folder / "there").result()
    assert there == _described(subject, folder / "here"), "proposes something else in another process"


def keeps_no_state_outside(subject: Subject, folder: Path) -> None:
    """It neither uses nor changes shared random generators, and writes only into its study's folder."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    answers = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        before = random.getstate()
        with contextlib.chdir(elsewhere):
            answers.append(_answers(subject.study(folder / str(seed))))
        assert random.getstate() == before, "draws from Python's shared generator: use random.Random(seed)"
    assert answers[0] == answers[1], "depends on a generator that all share: make one of its own, from the seed"
    assert not list(elsewhere.iterdir()), "writes into the current folder: use task.folder"


PROMISES: tuple[Callable[[Subject, Path], None], ...] = (
    trains_the_stock_first_and_no_program_twice,
    obeys_its_seed_and_takes_zero_for_one,
    survives_every_failure,
    resumes_exactly,
    resumes_exactly_whatever_ends_first,
    extends_exactly,
    proposes_the_same_in_another_process,
    keeps_no_state_outside,
)


def _trained(subject: Subject, folder: Path, seed: int) -> list[tuple[str, int]]:
    """Programs and their training seeds."""
    runner = SyntheticRunner()
    subject.study(folder, seed, runner)
    return [(request.source, request.training_seed) for request in runner.requests]


def _answers(trials: list[Trial]) -> list[Candidate | Unusable]:
    return [trial.answer for trial in trials]


def _verdicts(folder: Path) -> list[Verdict]:
    """On the trials with a score, in the study of a folder."""
    with Journal(folder, lambda text: None) as journal:
        return [entry.verdict for entry in journal.entries if entry.trial.val_bpb is not None]


def _steps(folder: Path) -> list[tuple[object, ...]]:
    """What was asked and told in the study of a folder, in that order."""
    with Journal(folder, lambda text: None) as journal:
        steps = journal.schedule.steps
    return [
        (step.number, step.trial.outcome, step.verdict)
        if isinstance(step, Entry)
        else (step.number, step.answer if isinstance(step, Asked | Rebased) else step)
        for step in steps
        if not isinstance(step, Started)
    ]


def _described(subject: Subject, folder: Path) -> list[str]:
    return [repr(answer) for answer in _answers(subject.study(folder))]
