"""The loop, its budget and its journal."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from baselines.seeds import Seeds
from search.config.messages import UserError
from search.data.tokens import prepare_data
from search.executor.drive import drive
from search.runner.stock import stock_of
from search.study import identity
from search.study.code import accepted
from search.study.complete import complete
from search.study.contract import Done, NoiseFloor, TaskFacts
from search.study.identity import Opening, open_study
from search.study.journal import FILE, Journal
from search.study.noise_floor import control_scores, noise_of
from search.study.seeds import CONFIRMATION, confirmation_seed, training_seed
from search.study.trial import Candidate, LossPoint, Origin, Outcome, Status, Trial, Unusable, Verdict
from search.testing.synthetic import Dies, DiesAt, FailsOn, Nowhere, OneByOne, Silent, SyntheticRunner, run_study

STOCK = "LR = 0.1\n"
FACTS = TaskFacts("test", STOCK, "cpu", 1, 8, 300, "1 second", "none", Path("nowhere"))


class Scripted:
    """Answers from a list; hears what it is told."""

    def __init__(self, answers: Sequence[Candidate | Unusable | Done], verdicts: dict[int, Verdict] | None = None) -> None:
        self.answers = list(answers)
        self.verdicts = verdicts or {}
        self.told: list[Trial] = []

    def ask(self, history, pending, noise_floor) -> Candidate | Unusable | Done:
        return self.answers[len(self.told) - 1]

    def tell(self, trial: Trial) -> Verdict | None:
        self.told.append(trial)
        return self.verdicts.get(trial.number)


def candidate(value: float, **fields) -> Candidate:
    return Candidate(f"LR = {value}\n", parent=0, **fields)


def lines(folder):
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_illegal_values_cannot_be_constructed():
    for impossible in (
        lambda: Outcome(Status.COMPLETED),
        lambda: Outcome(Status.COMPLETED, val_bpb=float("nan")),
        lambda: Outcome(Status.CRASHED, val_bpb=1.0, reason="x"),
        lambda: Outcome(Status.CRASHED),
        lambda: Candidate(STOCK, replicate=-1),
        lambda: Candidate(STOCK, note="two\nlines"),
        lambda: Trial(0, Origin.STOCK, Unusable("x"), Outcome(Status.CRASHED, reason="x")),
    ):
        with pytest.raises(ValueError):
            impossible()


def test_an_outcome_survives_its_record():
    outcome = Outcome(Status.COMPLETED, 2.5, True, losses=(LossPoint(0.5, 10, 3.0),), seconds={"train": 1.0})
    assert Outcome.from_record(json.loads(json.dumps(outcome.record()))) == outcome


def test_seeds_are_paired_across_strategies_and_disjoint_from_confirmation():
    training = {training_seed(search, replicate) for search in range(20) for replicate in range(50)}
    confirmation = {confirmation_seed(0, repeat) for repeat in range(200)}
    assert len(training) == 1000 and len(confirmation) == 200
    assert max(training) < CONFIRMATION <= min(confirmation) and max(confirmation) < 2**31
    assert training_seed(0, 0) != training_seed(0, 1) != training_seed(1, 0)


def test_a_duplicate_is_answered_from_the_record_and_costs_nothing(tmp_path):
    answers = [candidate(0.2), Candidate("LR = 0.20  # the same\n"), candidate(0.2, replicate=1)]
    for start in ("first", "resumed"):
        runner, strategy = SyntheticRunner(), Scripted(answers)
        _, trials = run_study(tmp_path, strategy, runner, STOCK, 3)
        assert [trial.candidate.replicate for trial in trials] == [0, 0, 1]
        repeated = strategy.told[2]
        assert (repeated.duplicate_of, repeated.outcome) == (1, trials[1].outcome)
        assert len(runner.requests) == (3 if start == "first" else 0)
        assert strategy.told == [*trials[:2], repeated, trials[2]]
        with Journal(tmp_path, print) as journal:  # which says that there was one
            assert [entry.repeats for entry in journal.entries] == [(), (), (1,)]
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(re.sub(r', "repeats": \[[^]]*\]', "", text))  # as the first journals were
    with Journal(tmp_path, print) as journal:
        assert [entry.repeats for entry in journal.entries] == [None] * 3


def test_nothing_but_duplicates_ends_a_study_as_an_exhausted_space(tmp_path):
    class Stubborn(Scripted):
        def ask(self, history, pending, noise_floor):
            return self.answers[len(self.told) % 2]

    runner = SyntheticRunner()
    reason, trials = run_study(tmp_path, Stubborn([candidate(0.2), candidate(0.3)]), runner, STOCK, 50)
    assert reason.startswith("this space is exhausted") and len(trials) == len(runner.requests) == 3


def test_parameters_are_kept_as_a_record_brings_them_back():
    params = {"rate": np.float64(0.5), "shape": (1, np.int64(2)), "names": {"a": np.array([True])}}
    made = Candidate(STOCK, params=params)
    assert made.params == {"rate": 0.5, "shape": [1, 2], "names": {"a": [True]}}
    assert json.loads(json.dumps(made.params)) == made.params
    for odd in (float("nan"), np.inf, object(), {1: 2}, b"x", {1, 2}, 1j):
        with pytest.raises(ValueError):
            Candidate(STOCK, params={"odd": odd})
    with pytest.raises(ValueError):
        Candidate("A = '\ud800'")


def test_unusable_answers_are_trials_and_several_in_a_row_end_the_study(tmp_path):
    answers = [candidate(0.2), Unusable("prose"), candidate(0.3), Candidate("LR = (\n"), *[Unusable("prose again")] * 9]
    runner = SyntheticRunner()
    reason, trials = run_study(tmp_path, Scripted(answers), runner, STOCK, 50)
    assert "5 unusable answers in a row" in reason and "prose again" in reason
    statuses = [trial.status for trial in trials]
    assert statuses.count(Status.UNUSABLE) == 6 and len(runner.requests) == 3
    assert "does not parse" in trials[4].outcome.reason or "does not parse" in trials[3].outcome.reason


def test_a_strategy_that_is_done_ends_the_study(tmp_path):
    reason, trials = run_study(tmp_path, Scripted([candidate(0.2), Done("the list is empty")]), SyntheticRunner(), STOCK, 9)
    assert "the list is empty" in reason and len(trials) == 2


def test_verdicts_are_the_strategys_or_else_by_best_score(tmp_path):
    verdicts = {2: Verdict(True, "I like it")}
    run_study(tmp_path, Scripted([candidate(9.0), candidate(8.0), candidate(0.1001)], verdicts), SyntheticRunner(), STOCK, 4)
    judged = {line["number"]: line["verdict"] for line in lines(tmp_path) if line["kind"] == "told"}
    assert judged[0]["kept"] and judged[0]["reason"].endswith(": the first score")
    assert not judged[1]["kept"]
    assert judged[2] == {"kept": True, "reason": "I like it"}


def test_anchors_are_the_stock_again_and_win_nothing(tmp_path):
    strategy = Seeds(FACTS, 0)
    runner = SyntheticRunner()
    _, trials = run_study(tmp_path, strategy, runner, STOCK, 7, anchor_every=3)
    assert [trial.origin for trial in trials] == [
        Origin.STOCK, *[Origin.STRATEGY] * 2, Origin.ANCHOR, *[Origin.STRATEGY] * 3, Origin.ANCHOR, Origin.STRATEGY
    ]  # fmt: skip
    anchors = [request for request, trial in zip(runner.requests, trials, strict=True) if trial.origin is Origin.ANCHOR]
    assert all(request.training_seed == training_seed(0, 0) for request in anchors)
    assert all(trial.score is None for trial in trials if trial.origin is Origin.ANCHOR)


def test_training_hours_end_a_study_and_failures_cost_what_they_used(tmp_path):
    from search.config.schema import StudyConfig
    from search.study.budget import Budget
    from search.study.study import Study

    with Journal(tmp_path, print) as journal:
        runner = FailsOn(fails=lambda number: number % 2 == 1)  # 1 s a success, 0.5 s a failure
        budget = Budget(StudyConfig(train_hours=6.0 / 3600))
        study = Study(Seeds(FACTS, 0), journal, budget, STOCK, 0, 0.0)
        reason = drive(study, OneByOne(runner), Silent(), Nowhere())
    assert "training hours" in reason and len(study.history) == 8


def test_crashes_in_a_row_bring_an_anchor_and_two_failed_anchors_end_the_study(tmp_path):
    answers = [candidate(value / 100) for value in range(20, 60)]

    class Crashes(SyntheticRunner):
        def run(self, request, observe):
            outcome = super().run(request, observe)
            return outcome if len(self.requests) == 1 else Outcome(Status.CRASHED, reason="driver fault")

    with pytest.raises(UserError, match="failed twice in a row"):
        run_study(tmp_path, Scripted(answers), Crashes(), STOCK, 40, anchor_every=30)
    origins = [line["origin"] for line in lines(tmp_path) if line["kind"] == "asked"]
    assert origins == ["stock", "strategy", "strategy", "strategy", "anchor", "anchor"]
    _, trials = run_study(tmp_path, Scripted(answers), SyntheticRunner(), STOCK, 8, anchor_every=30)
    assert [trial.origin for trial in trials[6:]] == [Origin.ANCHOR, *[Origin.STRATEGY] * 4]


def test_a_single_failed_anchor_is_tried_again_and_survived(tmp_path):
    runner = FailsOn(fails=lambda number: number == 3)
    _, trials = run_study(tmp_path, Seeds(FACTS, 0), runner, STOCK, 6, anchor_every=3)
    anchors = [trial.status for trial in trials if trial.origin is Origin.ANCHOR]
    assert anchors[0] is not Status.COMPLETED and anchors[1] is Status.COMPLETED


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device", "/somewhere/rows.bin"),
            "^/somewhere/rows.bin: cannot be written",
        ),
        (OSError(24, "Too many open files"), "^Too many open files, which ended"),
        (FileNotFoundError(2, "No such file or directory", "bwrap"), "^bwrap: No such file or directory, which ended"),
    ],
    ids=str,
)
def test_an_error_of_the_system_in_a_trial_is_told_as_what_it_is(tmp_path, error, said):
    class Breaks(SyntheticRunner):
        def run(self, request, observe):
            raise error

    with pytest.raises(UserError, match=said):
        run_study(tmp_path, Seeds(FACTS, 0), Breaks(), STOCK, 3)


def test_a_stock_that_fails_ends_the_study_with_its_log(tmp_path):
    with pytest.raises(UserError, match=r"stock itself ended crashed: injected .*0000\.train\.txt"):
        run_study(tmp_path, Seeds(FACTS, 0), FailsOn(fails=lambda number: True), STOCK, 3)
    assert [line["kind"] for line in lines(tmp_path)] == ["asked", "started", "told"]


def test_the_runner_learns_what_is_to_beat(tmp_path):
    runner = SyntheticRunner()
    _, trials = run_study(tmp_path, Scripted([candidate(9.0), candidate(8.0)]), runner, STOCK, 3)
    assert [request.beat for request in runner.requests] == [None, trials[0].val_bpb, trials[0].val_bpb]
    assert [request.is_stock for request in runner.requests] == [True, False, False]


@pytest.mark.parametrize("keep", [1, 10, 40])
def test_a_torn_last_line_is_dropped_and_its_trial_runs_again(tmp_path, keep):
    whole = run_study(tmp_path / "whole", Seeds(FACTS, 0), SyntheticRunner(), STOCK, 4)[1]
    run_study(tmp_path / "torn", Seeds(FACTS, 0), SyntheticRunner(), STOCK, 3)
    journal = tmp_path / "torn" / FILE
    text = journal.read_bytes()
    last = text[: text.rindex(b'{"kind": "told"')]
    journal.write_bytes(last + text[len(last) : len(last) + keep])
    said = []
    Journal(tmp_path / "torn", said.append).__exit__(None, None, None)
    assert "torn last line" in said[0]
    runner = SyntheticRunner()
    resumed = run_study(tmp_path / "torn", Seeds(FACTS, 0), runner, STOCK, 4)[1]
    assert resumed == whole and len(runner.requests) == 2


def test_a_damaged_line_in_the_middle_is_refused(tmp_path):
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 3)
    journal = tmp_path / FILE
    text = journal.read_text().splitlines(keepends=True)
    text[2] = text[2][:20] + "\n"
    journal.write_text("".join(text))
    with pytest.raises(UserError, match="line 3 is damaged"):
        Journal(tmp_path, print)


def test_a_journal_has_one_writer(tmp_path):
    with Journal(tmp_path, print), pytest.raises(UserError, match="being run by process"):
        Journal(tmp_path, print)
    Journal(tmp_path, print).__exit__(None, None, None)


def test_an_interrupted_trial_is_noted_and_runs_again(tmp_path):
    class Interrupted(SyntheticRunner):
        def run(self, request, observe):
            if len(self.requests) == 2:
                raise KeyboardInterrupt
            return super().run(request, observe)

    with pytest.raises(KeyboardInterrupt):
        run_study(tmp_path, Seeds(FACTS, 0), Interrupted(), STOCK, 4)
    assert lines(tmp_path)[-1]["kind"] == "interrupted"
    _, trials = run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 4)
    assert [trial.candidate.replicate for trial in trials] == [0, 1, 2, 3]


FILL = """
import resource, sys
from pathlib import Path
from search.config.messages import UserError
from search.study.journal import Journal
folder = Path(sys.argv[1])
size = (folder / "journal.jsonl").stat().st_size
with Journal(folder, print) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))  # the disk takes 30 bytes more
    try:
        journal.append("ended", reason="a long reason, longer than what is left on the disk")
    except UserError as error:
        print("refused:", error)
"""


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path):
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 3)
    before = (tmp_path / FILE).read_bytes()
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "refused:" in done.stdout and "free space" in done.stdout
    assert (tmp_path / FILE).read_bytes() == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_strategy_that_answers_otherwise_on_resuming_is_found_out(tmp_path):
    with pytest.raises(Dies):
        run_study(tmp_path, Scripted([candidate(0.2), candidate(0.3)]), DiesAt(at=2), STOCK, 3)
    with pytest.raises(UserError, match="something other than trial 1"):
        run_study(tmp_path, Scripted([candidate(0.4), candidate(0.3)]), SyntheticRunner(), STOCK, 3)


def begin(config, journal, prepared):
    return open_study(config, Opening(stock_of(config), prepared.fingerprint, "none"), journal)


@pytest.fixture
def prepared(configure, machine):
    return prepare_data(configure("task=smoke"), lambda text: None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["task.audit_share=0.5"], "task.audit_share=0.1, and now it is 0.5"),
        (["strategy=optuna"], "strategy._target_=baselines.seeds.Seeds, and now it is"),
        (["study.anchor_every=3"], "study.anchor_every=10, and now it is 3"),
        (["study.parallel=2"], "study.parallel=1, and now it is 2"),
        (["study.ahead=1"], "study.ahead=0, and now it is 1"),
        (["start={changed}"], "start=train.py, and now it is"),
    ],
)
def test_a_study_goes_on_only_as_what_it_began_as(configure, prepared, tmp_path, change, said):
    (tmp_path / "changed.py").write_text("# other\n" + (configure("task=smoke").start_file.read_text()))
    change = [text.format(changed=tmp_path / "changed.py") for text in change]
    with Journal(tmp_path, print) as journal:
        begin(configure("task=smoke"), journal, prepared)
        with pytest.raises(UserError) as refused:
            begin(configure("task=smoke", *change), journal, prepared)
    assert said in str(refused.value)


def test_a_stock_that_was_changed_under_its_name_is_refused(configure, prepared, tmp_path):
    start = tmp_path / "mine.py"
    text = configure("task=smoke").start_file.read_text()
    start.write_text(text)
    config = configure("task=smoke", f"start={start}")
    with Journal(tmp_path / "study", print) as journal:
        begin(config, journal, prepared)
        start.write_text(text.replace("MUON_MOMENTUM = 0.95", "MUON_MOMENTUM = 0.9"))
        with pytest.raises(UserError, match=r"(?s)began with stock=.*experiment="):
            begin(config, journal, prepared)


@pytest.mark.parametrize(
    "change",
    [["study.trials=99"], ["study.train_hours=2"], ["tracking.uri=http://elsewhere"], ["llm=playbook"], ["space=gpu"], []],
)
def test_a_budget_may_be_extended_and_the_record_moved(configure, prepared, tmp_path, change):
    with Journal(tmp_path, print) as journal:
        first = begin(configure("task=smoke"), journal, prepared)
        assert begin(configure("task=smoke", *change), journal, prepared) == first
        assert journal.lines[-1]["kind"] == "resumed"


def test_the_noise_floor_is_the_controls_and_of_the_same_task_only(tmp_path):
    for name, seed in (("seeds", 0), ("seeds", 1), ("rival", 0)):
        folder = tmp_path / name / str(seed)
        with Journal(folder, print) as journal:
            strategy = {"role": "control" if name == "seeds" else "baseline"}
            journal.append("study", task_fingerprint="this", stock="one", config={"strategy": strategy})
        run_study_after_header(folder, seed)
    scores = control_scores(tmp_path, "this", "one")
    floor = noise_of(scores)
    assert len(scores) == 8 and floor is not None and floor.trials == 8 and floor.sd > 0
    assert noise_of(scores[:4]) is None  # of so few it can be wrong by a factor of ten
    assert control_scores(tmp_path, "another", "one") == []
    assert control_scores(tmp_path, "this", "two") == []
    assert control_scores(tmp_path / "nothing", "this", "one") == []
    said: list[str] = []
    for number, damage in enumerate((b'{"kind": "nonsense"}\n', b"\xff\n", b"[]\n", b'{"kind": "study", "config": 1}\n')):
        folder = tmp_path / "of-another" / str(number)
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(damage)
    assert control_scores(tmp_path, "this", "one", said.append) == scores and len(said) == 4


def test_a_noise_floor_that_grows_is_shown_again_as_it_was(tmp_path):
    class Notes(Scripted):
        def ask(self, history, pending, noise_floor):
            return candidate(0.2 + (0 if noise_floor is None else noise_floor.trials), note=f"{noise_floor}")

    floors = (None if trials < 5 else NoiseFloor(2.0, 0.01, trials) for trials in range(3, 99))
    run = partial(run_study, tmp_path, stock=STOCK, noise_floor=lambda: next(floors))
    _, trials = run(Notes([]), SyntheticRunner(), trials=5)
    asked = [line["noise_floor"] for line in lines(tmp_path) if line["kind"] == "asked"]
    assert [floor and floor["trials"] for floor in asked] == [None, None, 5, 6, 7]
    runner = SyntheticRunner()
    assert run(Notes([]), runner, trials=6)[1][:5] == trials and len(runner.requests) == 1
    assert runner.requests[0].beat == pytest.approx(min(trial.val_bpb for trial in trials) + 0.04)


def run_study_after_header(folder, seed):
    return run_study(folder, Seeds(FACTS, seed), SyntheticRunner(), STOCK, 4, seed, anchor_every=2)


def without(line, *names):
    return {name: value for name, value in line.items() if name not in names}


def changed(line, **fields):
    return {**line, "outcome": {**line["outcome"], **fields}}


# What happens to the lines of a journal of three trials ("asked", "started", "told" of each), and which is named.
DAMAGE = {
    "no kind": (lambda lines: [*lines[:5], without(lines[5], "kind"), *lines[6:]], 6),
    "no object": (lambda lines: [*lines[:5], [], *lines[6:]], 6),
    "not asked for": (lambda lines: [*lines[:3], *lines[4:]], 4),
    "asked for too early": (lambda lines: [*lines[:3], *lines[6:]], 4),
    "an unknown field": (lambda lines: [*lines[:5], changed(lines[5], colour="red"), *lines[6:]], 6),
    "an unknown status": (lambda lines: [*lines[:5], changed(lines[5], status="promising"), *lines[6:]], 6),
    "a missing field": (lambda lines: [*lines[:5], without(lines[5], "verdict"), *lines[6:]], 6),
    "a doubled question": (lambda lines: [*lines[:4], lines[3], *lines[4:]], 5),
    "a doubled end": (lambda lines: [*lines[:6], lines[5], *lines[6:]], 7),
    "twice the whole": (lambda lines: lines + lines, 10),
}


@pytest.mark.parametrize(("damage", "at"), DAMAGE.values(), ids=DAMAGE)
def test_a_line_that_does_not_follow_is_named_with_what_is_lost_and_the_remedy(tmp_path, damage, at):
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 3)
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in damage(lines(tmp_path))))
    with pytest.raises(UserError) as refused:
        Journal(tmp_path, print)
    told = str(refused.value)
    assert f"{tmp_path / FILE}: line {at} is damaged" in told and told.count("\n") == 1 and "experiment=" in told
    cut = "".join(json.dumps(line) + "\n" for line in damage(lines(tmp_path))[: at - 1])
    (tmp_path / FILE).write_text(cut)
    _, trials = run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 3)  # the remedy helps
    assert len(trials) == 3


@pytest.mark.parametrize("version", [None, 999])
def test_a_journal_of_another_version_is_named_as_that(tmp_path, version):
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 1)
    first, *rest = lines(tmp_path)
    first = without(first, "version") if version is None else {**first, "version": version}
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in [first, *rest]))
    with pytest.raises(UserError, match="another version of fairtrial") as refused:
        Journal(tmp_path, print)
    assert str(refused.value).count("\n") == 1


@pytest.mark.parametrize("contents", [b"", b"LR = 0.2\n", b"\xff\xfe"])
def test_a_program_that_was_changed_on_disk_is_never_taken_for_the_one_that_was_trained(tmp_path, contents):
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 2)
    (kept,) = (tmp_path / "sources").iterdir()
    kept.write_bytes(contents)
    with pytest.raises(UserError, match=r"was changed since(.|\n)*train\.py") as refused:
        Journal(tmp_path, print)
    assert str(kept) in str(refused.value) and str(refused.value).count("\n") == 1


def test_other_code_is_named_by_file_and_accepted_on_record(configure, prepared, tmp_path, monkeypatch):
    config = configure("task=smoke")
    with Journal(tmp_path, print) as journal:
        begin(config, journal, prepared)
        before = identity.code_of(config.strategy["_target_"])
        assert {"search/study/study.py", "baselines/seeds.py"} <= before.keys()
        retune = configure("task=smoke", "strategy=retune").strategy
        assert (
            "baselines/optuna.py" in identity.code_of(retune["_target_"], retune).keys() - before.keys()
        )  # which tunes for it
        assert not any(name.startswith(("search/console", "search/tracking", "search/compare")) for name in before)
        mended = {**before, "search/study/study.py": "mended"}
        monkeypatch.setattr(identity, "code_of", lambda target, settings: mended)
        with pytest.raises(UserError, match=r"other code.*: search/study/study\.py\.\n.*accept_harness=h\w+") as refused:
            begin(config, journal, prepared)
        (accept,) = re.findall(r"accept_harness=\w+", str(refused.value))
        with pytest.raises(UserError, match="accept_harness="):
            begin(configure("task=smoke", "accept_harness=h0"), journal, prepared)
        begin(configure("task=smoke", accept), journal, prepared)
        begin(config, journal, prepared)  # accepted once
    with Journal(tmp_path, print) as journal:
        (went_on,) = accepted(journal)
    assert went_on["files"] == ["search/study/study.py"] and went_on["trial"] == 0


def test_another_sandbox_names_the_remedy_and_a_complete_study_is_complete_in_any(configure, prepared, tmp_path):
    config = configure("task=smoke", "study.trials=2")

    def begin_in(sandbox):
        with Journal(tmp_path, print) as journal:
            open_study(config, Opening(stock_of(config), prepared.fingerprint, sandbox), journal)
            return complete(journal, config.study)

    begin_in("landlock")
    with pytest.raises(UserError, match=r"=landlock, and now it is bubblewrap\.\nGo back to sandbox=landlock"):
        begin_in("bubblewrap")
    run_study(tmp_path, Seeds(FACTS, 0), SyntheticRunner(), STOCK, 2)
    assert begin_in("bubblewrap") == "all 2 trials are done"
