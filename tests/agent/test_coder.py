"""The coder: what it is shown, what is made of what it leaves, and what goes on record."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from search.agent import workspace
from search.agent.coder_output import report, spent
from search.config.messages import UserError
from search.console.run_study import make_strategy
from search.runner.stock import stock_of
from search.strategy import Status, source
from search.testing.synthetic import Dies, DiesAt, FailsOn, SyntheticRunner, run_study
from tests.agent.coders import InThisProcess

EDITS = """
import json, pathlib
train, notes = pathlib.Path("train.py"), pathlib.Path("NOTES.md")
number = len(notes.read_text().split()) + 1
notes.write_text(f"{notes.read_text()}note-{number} ")
text = train.read_text()
line = next(line for line in text.splitlines() if line.startswith("MATRIX_LR = "))
train.write_text(text.replace(line, f"MATRIX_LR = {0.1 + number}"))
usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 7}
print(json.dumps({"type": "result", "result": f"Thought.\\n\\n**rate {number}**", "total_cost_usd": 0.25, "usage": usage}))
"""
PAID = """print('{"type": "result", "result": "done", "total_cost_usd": 0.1}')\n"""


@pytest.fixture
def study(configure, tmp_path):
    """Run a coder's study with synthetic scores. Returns its trials and what ran the script."""

    def run(script, trials, *overrides, runner=None, programs=None):
        config = configure("task=smoke", "strategy=coder", "coder=fake", *overrides)
        config.strategy["coder"].command = ["python", "-c", script]
        stock, programs = stock_of(config).text, programs or InThisProcess()
        strategy = make_strategy(config, stock, tmp_path / "study", lambda text: None)
        strategy.task = replace(strategy.task, programs=programs)
        strategy.command.programs = programs
        return run_study(tmp_path / "study", strategy, runner or SyntheticRunner(), stock, trials)[1], programs

    return run


def record(tmp_path, number, name):
    return (tmp_path / "study" / "attachments" / f"{number:04d}" / name).read_text()


def test_what_it_leaves_is_trained_and_all_of_it_recorded(study, tmp_path):
    trials, _ = study(EDITS, 3)
    made = trials[1].candidate
    assert source.constants(made.source)["MATRIX_LR"] == 1.1 and (made.parent, made.note) == (0, "rate 1")
    assert (made.cost.usd, made.cost.tokens_in, made.cost.tokens_cached, made.cost.tokens_out) == (0.25, 15, 5, 7)
    assert source.constants(trials[2].candidate.source)["MATRIX_LR"] == 2.1
    assert "total_cost_usd" in record(tmp_path, 1, "transcript.jsonl")
    assert json.loads(record(tmp_path, 1, "work.json"))["train"] == made.source
    assert json.loads(record(tmp_path, 2, "work.json"))["notes"] == "note-1 note-2 "


def test_the_workspace_shows_what_was_tried(study, tmp_path):
    study(EDITS, 5, runner=FailsOn(fails=lambda number: number == 2))
    folder = tmp_path / "study" / "attachments" / "workspace"
    failed = folder / "trials" / "0002"
    assert json.loads((failed / "outcome.json").read_text())["status"] != "completed"
    assert "+MATRIX_LR = 2.1" in (failed / "change.diff").read_text() and (failed / "train.py").is_file()
    assert "rate 2" in (folder / "history.md").read_text() and (folder / "program.md").is_file()
    assert (folder / "search" / "task" / "run.py").stat().st_mode & 0o222 == 0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (PAID, "changes nothing"),
        (f"open('train.py', 'a').write('# a remark')\n{PAID}", "changes nothing"),
        (f"open('train.py', 'w').write('def main(:')\n{PAID}", "does not parse"),
        (f"open('train.py', 'w').write('x = 1')\n{PAID}", "lacks the function build_model"),
        (f"import os; os.remove('train.py')\n{PAID}", "no regular file"),
        (f"{PAID}raise SystemExit(3)", "exit code 3"),
        ("""print('{"type": "result", "result": "", "total_cost_usd": 9.5}')""", "9.50 dollars, but strategy.usd=2"),
    ],
)
def test_what_cannot_be_used_is_a_trial_with_its_reason_and_its_cost(study, script, said):
    trials, _ = study(script, 2)
    assert trials[1].status is Status.UNUSABLE and said in trials[1].outcome.reason
    assert trials[1].answer.cost.usd in (0.1, 9.5)


def test_a_program_that_was_tried_is_not_trained_again(study):
    same = EDITS.replace("{0.1 + number}", "0.5")
    trials, _ = study(same, 3, runner=FailsOn(fails=lambda number: number == 1))
    assert "the program of trial 1 again" in trials[2].outcome.reason and trials[2].answer.facts["repeats"] == "1"


class CutOff(InThisProcess):
    """Dies in its second call, with half of the work done."""

    def run(self, program):
        if len(self.ran) == 1:
            self.ran.append(program)
            (program.folder / "NOTES.md").write_text("half a note")
            (program.folder / "train.py").write_text("half")
            (program.folder / "left").write_text("over")
            raise Dies
        return super().run(program)


def test_a_call_that_is_cut_off_starts_from_the_workspace_as_it_was(study, tmp_path):
    with pytest.raises(Dies):
        study(EDITS, 3, programs=CutOff())
    trials, again = study(EDITS, 3)
    assert len(again.ran) == 1  # the first answer is on record, and not paid for again
    assert json.loads(record(tmp_path, 2, "work.json"))["notes"] == "note-1 note-2 "
    assert source.constants(trials[2].candidate.source)["MATRIX_LR"] == 2.1
    assert not (tmp_path / "study" / "attachments" / "workspace" / "left").exists()


def test_an_answer_on_record_is_used_after_a_death(study):
    with pytest.raises(Dies):
        study(EDITS, 2, runner=DiesAt(at=1))
    trials, again = study(EDITS, 2)
    assert again.ran == [] and trials[1].status is Status.COMPLETED


def test_a_command_that_fails_without_a_cost_is_no_answer(study, tmp_path):
    with pytest.raises(UserError, match=r"exit code 7.*\n.*strategy.patience_minutes"):
        study("raise SystemExit(7)", 2, "strategy.patience_minutes=0")
    trials, _ = study(EDITS, 2, "strategy.patience_minutes=0")
    assert trials[1].status is Status.COMPLETED


def test_the_key_is_not_recorded(study, tmp_path, monkeypatch):
    monkeypatch.setenv("THE_KEY", "sesame-open")
    leaks = EDITS + "\nimport os; print(os.environ['THE_KEY']); notes.write_text(os.environ['THE_KEY'])"
    study(leaks, 2, "coder.api_key_env=THE_KEY")
    files = [path for path in (tmp_path / "study").rglob("*") if path.is_file() and "workspace" not in path.parts]
    assert files and not [path for path in files if b"sesame-open" in path.read_bytes()]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("of somebody else")
    (tmp_path / workspace.TRAIN).symlink_to(tmp_path / "secret")
    (tmp_path / workspace.NOTES).mkdir()
    assert workspace.read(tmp_path, workspace.TRAIN) is None and workspace.read(tmp_path, workspace.NOTES) is None


def test_the_output_of_both_command_lines_is_read():
    lines = [
        {"type": "thread.started"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "one"}},
        {"type": "turn.completed", "usage": {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 3}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "two"}},
        {"type": "error", "message": "Reconnecting... 2/5"},
        {"type": "turn.completed", "usage": {"input_tokens": 1, "cached_input_tokens": 0, "output_tokens": 2}},
    ]
    said = report("\n".join(map(json.dumps, lines)))
    assert not said.failed
    assert (said.words, said.usd, said.tokens_in, said.tokens_cached, said.tokens_out) == (
        "two",
        None,
        11,
        4,
        5,
    )
    failed = report(json.dumps({"type": "result", "is_error": True, "result": "no credit", "total_cost_usd": 0.5}))
    assert (failed.words, failed.failed, failed.usd, failed.tokens_in) == ("no credit", True, 0.5, None)
    assert report("plain words").words == "plain words" and spent('{"total_cost_usd": true}') is None
