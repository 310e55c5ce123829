"""Confirmation: what is planned, in which order it is trained, and that a plan is kept."""

from __future__ import annotations

import json

import pytest

from search.config.files import remove_tree
from search.config.messages import UserError
from search.confirm.plan import STOCK, Arms, StudyRecord, check_comparable, report, screening
from search.confirm.repeats import SCREENING_REPLICATES, Repeats
from search.study import source
from search.study.contract import Done
from search.study.seeds import confirmation_seed, training_seed
from search.study.trial import Candidate, Origin, Outcome, Status, Trial

TEXT = "DEPTH = 8\nRATE = 0.5\n\n\ndef main():\n    print(DEPTH * RATE)\n"


def scored(number, text, score):
    return Trial(number, Origin.STRATEGY, Candidate(text), Outcome(Status.COMPLETED, score, audited=True))


@pytest.fixture
def finished(configure):
    def make(seed, *trials, **header):
        config = configure("task=smoke", f"seed={seed}")
        facts = {"strategy": "seeds", "task": {"device": "cpu"}, "stock": "s", **header}
        return StudyRecord(f"e/smoke/seeds/{seed}", config, facts, TEXT, tuple(sorted(trials, key=lambda t: t.val_bpb)))

    return make


def test_a_winner_is_trained_beside_the_stock_and_its_constants_alone(finished):
    both = source.set_constants(TEXT, {"RATE": 0.25}).replace("DEPTH * RATE", "DEPTH + RATE") + "NEW = 3\n"
    arms = Arms()
    plan = report([finished(0, scored(0, TEXT, 2.0), scored(4, both, 1.5))], arms, 5, 1, {})
    (study,) = plan.studies.values()
    assert study["winner"] == {"trial": 4, "arm": "seeds, search seed 0, trial 4"}
    assert study["left_in_code"] == ["NEW"]
    assert arms.texts[study["constants"]] == source.set_constants(TEXT, {"RATE": 0.25})
    assert set(plan.arms) == {STOCK, study["winner"]["arm"], study["constants"]}


def test_programs_that_are_the_same_are_trained_once(finished):
    tuned = source.set_constants(TEXT, {"RATE": 0.25})
    code = TEXT.replace("DEPTH * RATE", "DEPTH + RATE")
    plan = report(
        [
            finished(0, scored(3, TEXT + "# the stock, with a comment\n", 1.9)),
            finished(1, scored(2, tuned, 1.8)),
            finished(2, scored(9, tuned, 1.8)),
            finished(3, scored(1, code, 1.7)),
        ],
        Arms(),
        5,
        1,
        {},
    )
    winners = [study["winner"]["arm"] for study in plan.studies.values()]
    assert winners == [
        STOCK,
        "seeds, search seed 1, trial 2",
        "seeds, search seed 1, trial 2",
        "seeds, search seed 3, trial 1",
    ]
    # Changed constants only: they are the winner. Changed none: they are the stock.
    assert [study["constants"] for study in plan.studies.values()] == [None, None, None, STOCK]
    assert len(plan.arms) == 3


def test_screening_chooses_and_is_not_reported(finished):
    texts = [source.set_constants(TEXT, {"RATE": rate}) for rate in (0.1, 0.2, 0.3)]
    study = finished(0, *(scored(number, text, 1.5 + number / 10) for number, text in enumerate(texts, 1)))
    arms = Arms()
    arms.add(STOCK, TEXT)
    screened = screening([study], arms, 3, 2)
    names = [entry["arm"] for entry in screened.studies[study.identity]["screened"]]
    assert len(names) == 2
    plan = report([study], arms, 5, 2, {names[0]: 1.9, names[1]: 1.8})
    assert plan.studies[study.identity]["winner"]["arm"] == names[1]
    wanted = Repeats([screened, plan], arms.texts).wanted()
    first = {replicate for _, replicate, stage in wanted if stage == "screening"}
    second = {replicate for _, replicate, stage in wanted if stage == "report"}
    assert min(first) >= SCREENING_REPLICATES > max(second)
    seeds = {confirmation_seed(0, replicate) for replicate in first | second}
    assert len(seeds) == len(first | second) and not seeds & {training_seed(s, r) for s in range(50) for r in range(50)}


def ask_all(strategy):
    history = [
        Trial(0, Origin.STOCK, Candidate(TEXT, facts={"arm": STOCK, "stage": "report"}), Outcome(Status.CRASHED, reason="x"))
    ]
    while not isinstance(answer := strategy.ask(history), Done):
        history.append(Trial(len(history), Origin.STRATEGY, answer, Outcome(Status.CRASHED, reason="x")))
    return [(trial.answer.facts["arm"], trial.answer.replicate) for trial in history]


def test_arms_take_turns_and_an_extension_repeats_nothing(finished):
    arms = Arms()
    arms.add(STOCK, TEXT)
    study = finished(0, scored(1, source.set_constants(TEXT, {"RATE": 0.25}), 1.5))
    two, three = (report([study], arms, repeats, 1, {}) for repeats in (2, 3))
    winner = two.studies[study.identity]["winner"]["arm"]
    order = [(STOCK, 0), (winner, 0), (STOCK, 1), (winner, 1)]
    assert ask_all(Repeats([two], arms.texts)) == order
    assert ask_all(Repeats([two, three], arms.texts)) == [*order, (STOCK, 2), (winner, 2)]


def test_studies_that_cannot_be_compared_are_not_confirmed(finished):
    good, other = finished(0, scored(0, TEXT, 2.0)), finished(1, scored(0, TEXT, 2.0), task={"device": "cuda"})
    with pytest.raises(UserError, match=r"device=cuda.*never compared"):
        check_comparable([good, other])
    capped = finished(1, scored(0, TEXT, 2.0), task={"device": "cpu", "vram_gb": 24.0})
    for first, second in ((good, capped), (capped, good)):  # a setting that only one of them has
        with pytest.raises(UserError, match=r"vram_gb=.*never compared"):
            check_comparable([first, second])
    with pytest.raises(UserError, match="another stock"):
        check_comparable([good, finished(1, scored(0, TEXT, 2.0), stock="t")])
    with pytest.raises(UserError, match="no scored trial"):
        check_comparable([good, finished(1)])


def test_a_confirmation_is_planned_trained_published_and_extended(clone):
    studies = clone.run("strategy=optuna", "task=smoke", "study.trials=2", "experiment=e")
    assert studies.returncode == 0, studies.stdout
    first = clone.run("experiment=e", "repeats=1", module="search.confirm")
    assert first.returncode == 0 and "report: " in first.stdout and "hours" in first.stdout, first.stdout
    folder = clone.study("e/smoke/confirmation/0")
    assert "could not" not in first.stdout
    fewer = clone.run("experiment=e", "repeats=0", module="search.confirm")
    assert fewer.returncode == 1 and "repeats=0: must be a whole number above 0" in fewer.stdout
    more = clone.run("experiment=e", "repeats=2", module="search.confirm")
    assert more.returncode == 0, more.stdout
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines if line["kind"] == "finished"]
    assert all(outcome["audited"] and outcome["confirmation_bpb"] is not None for outcome in outcomes)
    plans = json.loads((folder / "attachments" / "plans.json").read_text())
    assert [plan["repeats"] for plan in plans] == [1, 2]
    assert len(outcomes) == 2 * len(plans[-1]["arms"])
    again = clone.run("experiment=e", module="search.confirm")
    assert again.returncode == 0 and "nothing was trained" in again.stdout
    less = clone.run("experiment=e", "repeats=1", module="search.confirm")
    assert less.returncode == 1 and "repeats=2 or more" in less.stdout


def test_a_folder_that_its_maker_locked_is_removed_all_the_same(tmp_path):
    locked = tmp_path / "trial" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    (tmp_path / "trial" / "link").symlink_to(tmp_path)
    locked.chmod(0)
    remove_tree(tmp_path / "trial")
    assert not (tmp_path / "trial").exists() and tmp_path.is_dir()
