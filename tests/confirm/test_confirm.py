"""The command: planned, trained, published and extended."""

from __future__ import annotations

import json
import time

import pytest

from search.config.files import remove_tree
from search.config.messages import UserError
from search.confirm.studies import read_studies
from search.executor.drive import drive
from search.runner.stock import stock_of
from search.study import source
from search.study.budget import Budget
from search.study.identity import Opening, identity, open_study
from search.study.journal import FILE, Journal
from search.study.study import Study
from search.study.trial import Candidate, Origin, Outcome, Status, Verdict
from search.testing.synthetic import Nowhere, OneByOne, Silent, SyntheticRunner
from tests.sandboxes import WARM_BOX


class Keeps:
    """Proposes one program, and keeps whatever comes of it."""

    def __init__(self, text):
        self.text = text

    def ask(self, history, pending, noise_floor):
        return Candidate(self.text, parent=0)

    def tell(self, trial):
        return Verdict(True, "kept")


@pytest.fixture
def begin_study(quick_clone, configure, smoke):
    """A study of two trials, whose second one won with those constants. Nothing is trained for it."""

    def begin(strategy, constants):
        config = configure("task=smoke", "experiment=e", f"strategy={strategy}", "study.trials=2", f"sandbox={WARM_BOX}")
        stock, budget = stock_of(config), Budget(config.study)
        keeps = Keeps(source.set_constants(stock.text, constants))
        with Journal(quick_clone.study(identity(config)), print) as journal:
            open_study(config, Opening(stock, smoke[1].fingerprint, "none"), journal)
            study = Study(keeps, journal, budget, stock.text, config.seed, 1.0)
            drive(study, OneByOne(SyntheticRunner()), Silent(), Nowhere())

    return begin


def test_a_confirmation_is_planned_trained_published_and_extended(quick_clone, begin_study):
    begin_study("optuna", {"MATRIX_LR": 0.03})
    folder = quick_clone.study("e/smoke/confirmation/0")
    process = quick_clone.popen("experiment=e", "repeats=1", module="search.confirm")
    while process.poll() is None and not any('"started"' in path.read_text() for path in folder.glob(FILE)):
        time.sleep(0.05)
    with Journal(quick_clone.study("e/smoke/optuna-tpe/0"), print):  # the study could go on meanwhile
        first, _ = process.communicate()
    assert process.returncode == 0 and "could not" not in first, first
    assert "3 training runs, about 0.0 s; the first run only warms up" in first
    assert "2 programs in 1 block of 1 search seed, with the stock once in each" in first
    begin_study("seeds", {"HEAD_DIM": 32})
    more = quick_clone.run("experiment=e", module="search.confirm")
    assert more.returncode == 0 and "this is an unplanned look" in more.stdout, more.stdout
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines if line["kind"] == "told"]
    assert all(outcome["audited"] and outcome["confirmation_bpb"] is not None for outcome in outcomes)
    facts = [line["answer"]["facts"] for line in lines if line["kind"] == "asked"]
    assert facts[0]["stage"] == "warm-up" and [fact["visit"] for fact in facts] == ["0", "0", "0", "1", "1"]
    plans = json.loads((folder / "attachments" / "plans.json").read_text())
    assert [len(plan["arms"]) for plan in plans] == [2, 3] and plans[0]["order_seed"] == plans[1]["order_seed"]
    assert all(plan["repeats"] == plan["stock_runs"] == plan["looks"] == 1 for plan in plans)
    changed = quick_clone.run("experiment=e", "looks=3", module="search.confirm")
    assert changed.returncode == 1 and "looks=3: this confirmation began with looks=1" in changed.stdout


def test_studies_are_only_read_and_what_goes_on_later_changes_no_plan(quick_clone, begin_study):
    begin_study("optuna", {"MATRIX_LR": 0.03})
    folder, began = quick_clone.study("e/smoke"), quick_clone.study("e/smoke/optuna-tpe/0")
    with Journal(began, print), pytest.raises(UserError, match="is being run by process"):
        read_studies(folder, print)
    (record,) = read_studies(folder, print)
    with Journal(began, print) as resumed:  # it is nobody's
        better = Candidate(source.set_constants(record.stock, {"MATRIX_LR": 0.04}))
        resumed.ask(2, Origin.STRATEGY, better, 1)
        resumed.tell(2, Outcome(Status.COMPLETED, 0.5, audited=True), Verdict(True, "kept"))
    assert [entry.number for entry in record.finalists(1)] == [1]
    assert [entry.number for entry in read_studies(folder, print)[0].finalists(1)] == [2]


def test_a_folder_that_its_maker_locked_is_removed_all_the_same(tmp_path):
    locked = tmp_path / "trial" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    (tmp_path / "trial" / "link").symlink_to(tmp_path)
    locked.chmod(0)
    remove_tree(tmp_path / "trial")
    assert not (tmp_path / "trial").exists() and tmp_path.is_dir()
