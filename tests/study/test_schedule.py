"""Several trials at once: what is due, and that only the order of asking and telling decides."""

from __future__ import annotations

import json

import pytest

from search.config.messages import UserError
from search.config.schema import StudyConfig
from search.executor.drive import drive
from search.study.budget import Budget
from search.study.contract import Done
from search.study.journal import FILE, Journal
from search.study.steps import Ask, Known, Over, Wait, Work
from search.study.study import STOPPED, Study
from search.study.trial import Candidate, Origin, Outcome, Status, Unusable
from search.testing.synthetic import Nowhere, OneByOne, Several, Silent, SyntheticRunner, run_study

STOCK = "LR = 0.1\n"


class Listed:
    """Proposes these, one after the other; remembers what it heard."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked, self.told = [], []

    def ask(self, history, pending, noise_floor):
        self.asked.append(([trial.number for trial in history], sorted(pending)))
        return self.answers[len(self.asked) - 1] if len(self.asked) <= len(self.answers) else Done("the list is empty")

    def tell(self, trial):
        self.told.append((trial.number, trial.duplicate_of))


def rates(*values):
    return [Candidate(f"LR = {value}\n", parent=0) for value in values]


@pytest.fixture
def begin(tmp_path):
    """A study as it stands in the folder."""
    journals = []

    def make(strategy, trials=9, **settings):
        for journal in journals:
            journal.__exit__(None, None, None)
        journals.append(Journal(tmp_path, print))
        budget = Budget(StudyConfig(trials=trials, anchor_every=settings.pop("anchor_every", None)))
        study = Study(strategy, journals[-1], budget, STOCK, 0, 0.0, **settings)
        study.resume()
        return study

    yield make
    journals[-1].__exit__(None, None, None)


def scored(score):
    return Outcome(Status.COMPLETED, score, audited=True, train_seconds=1.0)


def begin_next(study):
    """Have the next trial asked for and started; its number."""
    step = study.due()
    assert isinstance(step, Ask)
    study.ask(step.number)
    work = study.due()
    assert isinstance(work, Work) and work.asked.number == step.number
    study.start(step.number)
    return work


def told_stock(study):
    begin_next(study)
    study.take(0, scored(2.0))
    return study


def test_the_stock_trains_alone_and_then_as_many_as_may(begin):
    study = begin(Listed(*rates(0.2, 0.3, 0.4)), trials=4, parallel=2)
    assert begin_next(study).request.is_stock and study.due() == Wait()
    study.take(0, scored(2.0))
    assert [begin_next(study).asked.number, begin_next(study).asked.number] == [1, 2]
    assert study.due() == Wait()
    assert study.take(2, scored(1.9)).kept and begin_next(study).asked.number == 3
    assert not study.take(1, scored(1.95)).kept and study.due() == Wait()  # all four are asked for
    study.take(3, scored(1.8))
    assert study.due() == Over("all 4 trials are done")
    assert study.strategy.asked == [([0], []), ([0], [1]), ([0, 2], [1])]
    assert study.strategy.told == [(0, None), (2, None), (1, None), (3, None)]
    assert [entry.number for entry in study.journal.entries] == [0, 2, 1, 3]


def test_what_is_asked_for_ahead_waits_for_a_device(begin):
    study = told_stock(begin(Listed(*rates(0.2, 0.3, 0.4)), ahead=1))
    begin_next(study)
    assert study.due() == Ask(2)
    study.ask(2)
    assert study.due() == Wait()
    study.take(1, scored(1.9))
    work = study.due()
    assert isinstance(work, Work) and work.asked.number == 2 and work.request.beat == 1.9


def test_an_unusable_answer_is_told_at_once_whatever_runs(begin):
    study = told_stock(begin(Listed(*rates(0.2), Unusable("prose"), *rates(0.3)), parallel=2))
    begin_next(study)
    study.ask(2)
    step = study.due()
    assert isinstance(step, Known) and step.outcome.status is Status.UNUSABLE
    study.take(2, step.outcome)
    assert begin_next(study).asked.number == 3


def test_what_was_asked_and_not_told_is_trained_again_and_never_asked_again(begin):
    study = told_stock(begin(Listed(*rates(0.2, 0.3, 0.4)), parallel=2, ahead=1))
    begin_next(study)
    begin_next(study)
    study.ask(3)
    study.take(2, scored(1.9))
    again = begin(Listed(*rates(0.2, 0.3, 0.4)), parallel=2, ahead=1)
    assert again.strategy.asked == study.strategy.asked and again.strategy.told == study.strategy.told
    for number, text in ((1, "LR = 0.2\n"), (3, "LR = 0.4\n")):
        work = again.due()
        assert isinstance(work, Work) and (work.asked.number, work.request.source) == (number, text)
        again.start(number)
    again.take(3, scored(1.8))
    assert again.due() == Ask(4)


@pytest.mark.parametrize("resumes", [False, True])
def test_a_duplicate_of_a_running_trial_is_answered_when_that_ends(begin, resumes):
    answers = rates(0.2, 0.2, 0.3)
    study = told_stock(begin(Listed(*answers), parallel=2))
    begin_next(study)
    study.ask(2)
    assert study.due() == Wait()  # for the trial that it repeats
    if resumes:
        study = begin(Listed(*answers), parallel=2)
        assert isinstance(study.due(), Work)
        study.start(1)
    study.take(1, scored(1.9))
    assert study.strategy.told == [(0, None), (1, None), (2, 1)]
    work = begin_next(study)
    assert (work.request.source, work.asked.repeats) == ("LR = 0.3\n", (1,))
    assert len(begin(Listed(*answers), parallel=2).strategy.asked) == 3


def test_anchors_are_due_by_the_order_of_asking_and_one_at_a_time(begin):
    study = told_stock(begin(Listed(*rates(*range(1, 20))), trials=20, parallel=3, anchor_every=3))
    works = [begin_next(study) for _ in range(3)]
    assert [work.asked.origin for work in works] == [Origin.STRATEGY, Origin.STRATEGY, Origin.ANCHOR]
    study.take(1, Outcome(Status.CRASHED, reason="x"))
    study.take(2, Outcome(Status.CRASHED, reason="x"))
    works = [begin_next(study) for _ in range(2)]
    assert [work.asked.origin for work in works] == [Origin.STRATEGY] * 2  # the anchor runs
    study.take(3, Outcome(Status.TIMED_OUT, reason="a stall"))
    assert begin_next(study).asked.origin is Origin.ANCHOR  # again
    assert study.strategy.told == [(0, None), (1, None), (2, None)]


def test_a_stop_finishes_what_runs_and_begins_nothing(tmp_path):
    class Stops(Listed):
        def ask(self, history, pending, noise_floor):
            self.stop = len(pending) == 1
            return super().ask(history, pending, noise_floor)

    def run(strategy, runner, stop):
        with Journal(tmp_path, print) as journal:
            study = Study(strategy, journal, Budget(StudyConfig(trials=4)), STOCK, 0, 0.0, parallel=2)
            return drive(study, OneByOne(runner), Silent(), Nowhere(), stop), study.history

    strategy, runner = Stops(*rates(0.2, 0.3, 0.4)), SyntheticRunner()
    reason, history = run(strategy, runner, lambda: strategy.asked != [] and strategy.stop)
    assert reason == STOPPED and [trial.number for trial in history] == [0, 1] and len(runner.requests) == 2
    resumed = Listed(*rates(0.2, 0.3, 0.4))
    _, history = run(resumed, SyntheticRunner(), lambda: False)
    assert sorted(trial.number for trial in history) == [0, 1, 2, 3]
    assert resumed.asked[:2] == strategy.asked  # what the stop found asked for was kept


@pytest.mark.parametrize("error", [UserError("no reply"), KeyboardInterrupt()], ids=["patience", "stop"])
def test_what_runs_is_finished_before_a_strategy_that_gives_up_ends_the_study(begin, error):
    class GivesUp(Listed):
        def ask(self, history, pending, noise_floor):
            if len(pending) == 2:
                raise error
            return super().ask(history, pending, noise_floor)

    study = begin(GivesUp(*rates(0.2, 0.3, 0.4)), parallel=3)
    with pytest.raises(type(error)):
        drive(study, OneByOne(SyntheticRunner()), Silent(), Nowhere())
    assert sorted(trial.number for trial in study.history) == [0, 1, 2] and study.journal.lines[-1]["kind"] == "told"


def test_as_many_are_asked_for_as_there_are_in_the_budget(tmp_path):
    _, trials = run_study(tmp_path, Listed(*rates(*range(1, 9))), SyntheticRunner(), STOCK, 6, several=Several(3, 1, 7))
    assert len(trials) == 6
    kinds = [json.loads(line)["kind"] for line in (tmp_path / FILE).read_text().splitlines()]
    assert kinds.count("asked") == kinds.count("told") == kinds.count("started") == 6


@pytest.mark.parametrize(("parallel", "ahead"), [(1, 0), (1, 1), (3, 0), (3, 1)])
def test_more_than_may_run_never_do(begin, parallel, ahead):
    executor = OneByOne(SyntheticRunner())
    study = begin(Listed(*rates(*range(1, 9))), trials=7, parallel=parallel, ahead=ahead)
    drive(study, executor, Silent(), Nowhere())
    assert executor.most == parallel
