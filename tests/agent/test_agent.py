"""The agent: what it says, what it makes of answers, and what it records, against a real server that misbehaves."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from search.agent.keep_rules import Greedy, Margin, Program, Replicate
from search.config import files
from search.config.messages import UserError
from search.config.places import ROOT
from search.console.run_study import make_strategy
from search.llm import edits
from search.llm.record import Recorder
from search.runner.stock import stock_of
from search.study import source
from search.study.contract import NoiseFloor
from search.study.journal import Journal
from search.study.trial import Candidate, Origin, Outcome, Status, Trial
from search.study.winner import ranked, winner_at, winner_of
from search.testing.synthetic import ONE, FailsOn, Several, SyntheticRunner, run_study
from tests.servers.llm import Answer, FakeClock, Script, serve

NOISE = NoiseFloor(mean=2.5, sd=0.01, trials=12)


def edit(name: str, value: object, note: str = "an edit", stock: str = "") -> str:
    line = next(line for line in stock.splitlines() if line.startswith(f"{name} = "))
    new = re.sub(r"= \S+", f"= {value}", line, count=1)
    return f"NOTE: {note}\nHYPOTHESIS: because\n\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n"


@pytest.fixture
def stock(configure):
    return stock_of(configure("task=smoke")).text


@pytest.fixture
def heard():
    """What whoever watches is told."""
    return []


@pytest.fixture
def study(configure, stock, tmp_path, heard):
    """Run an agent's study with synthetic scores against a server."""

    def run(server, trials, *overrides, name="study", runner=None, noise=None, stop=lambda: False, several=ONE):
        settings = [f"llm.base_url={server.url}", "llm.model=test", "llm.timeout_seconds=2", "llm.patience_minutes=0.5"]
        config = configure("task=smoke", "strategy=agent", "llm=local", *settings, *overrides)
        folder = tmp_path / name
        with Journal(folder, heard.append) as journal:
            begun = journal.schedule.next
        strategy = make_strategy(config, stock, folder, heard.append, stop, begun)
        strategy.client.clock = FakeClock()
        runner = runner or SyntheticRunner()
        return run_study(folder, strategy, runner, stock, trials, several=several, noise_floor=lambda: noise)

    return run


def test_an_edit_is_trained_and_everything_about_it_recorded(study, stock, tmp_path):
    with serve(Answer(edit("MATRIX_LR", 0.1, "larger steps", stock))) as server:
        _, trials = study(server, 2, "llm.price.input=2.0", "llm.price.output=10.0", "llm.price.cached=0.5")
    candidate = trials[1].candidate
    assert source.constants(candidate.source)["MATRIX_LR"] == 0.1
    assert (candidate.note, candidate.facts["hypothesis"], candidate.parent) == ("larger steps", "because", 0)
    assert candidate.facts["model"] == "test-model" and candidate.facts["calls"] == "1"
    cost = candidate.cost
    assert (cost.tokens_in, cost.tokens_out, cost.tokens_cached, cost.calls) == (10_000, 100, 400, 1)
    assert cost.usd == pytest.approx((9600 * 2.0 + 400 * 0.5 + 100 * 10.0) / 1e6)
    folder = tmp_path / "study" / "attachments"
    call = json.loads((folder / "0001" / "call-1.json").read_text())
    assert call["reply"]["text"] in (folder / "0001" / "reply-1.md").read_text()
    assert (ROOT / "program.md").read_text().strip() in (folder / "0001" / "prompt-1.md").read_text()
    assert (folder / f"program-{candidate.facts['program_md']}.md").read_text() == (ROOT / "program.md").read_text()
    request = server.requests[0]
    assert set(request) == {"model", "messages", "stream"} and request["stream"] is False


def test_an_unknown_price_is_unknown_and_never_zero(study, stock):
    with serve(Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2, "llm.price.input=null")
    assert trials[1].answer.cost.usd is None


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=429), Answer(status=500), Answer(status=503), Answer(hang=4.0)],
    ids=["429", "500", "503", "a hang"],
)
def test_passing_trouble_is_retried(study, stock, trouble):
    with serve(trouble, Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2)
    assert trials[1].status is Status.COMPLETED and len(server.requests) == 2


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Answer(status=401, error="bad key"), "bad key"),
        (Answer(status=429, body={"error": {"message": "no quota", "code": "insufficient_quota"}}), "no quota"),
        (Answer(cut=True, text="x" * 500), "gave no reply"),
    ],
    ids=["wrong key", "no quota", "cut-off JSON"],
)
def test_lasting_trouble_stops_the_study_and_the_same_command_goes_on(study, stock, trouble, said):
    good = [Answer(edit(name, 0.11, stock=stock)) for name in ("MATRIX_LR", "WEIGHT_DECAY")]
    with serve(good[0], *[trouble] * 3) as server, pytest.raises(UserError, match=said) as stopped:
        study(server, 3)
    assert str(stopped.value).count("\n") == 1 and "same command" in str(stopped.value)
    with serve(good[1]) as server:
        _, trials = study(server, 3)
    assert [trial.status for trial in trials] == [Status.COMPLETED] * 3
    assert len(server.requests) == 1  # the first reply is not paid for again


def test_an_outage_is_told_and_outlasted(study, stock, heard):
    troubles = [Answer(status=503, error="loading"), Answer(body={"error": {"message": "busy"}}), Answer(body="<html>")]
    with serve(*troubles, Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2)
    assert trials[1].status is Status.COMPLETED and trials[1].candidate.cost.calls == 1
    assert len(heard) == 2 and "503: loading" in heard[0] and "3 retries" in heard[1]


def test_a_request_to_stop_ends_the_waiting_and_loses_nothing(study, stock):
    with serve(Answer(edit("MATRIX_LR", 0.1, stock=stock)), Answer(status=503)) as server:
        stops = lambda: len(server.requests) > 3  # noqa: E731
        with pytest.raises(KeyboardInterrupt):
            study(server, 3, stop=stops)
        server.answers = [Answer(edit("WEIGHT_DECAY", 0.11, stock=stock))]
        _, trials = study(server, 3)
    assert [trial.status for trial in trials] == [Status.COMPLETED] * 3


NEVER_SAID_AGAIN = {
    "empty": Answer(message={"content": None, "reasoning_content": "a long thought"}),
    "reasoning only": Answer("<think>a long thought</think>\n"),
    "cut off": Answer("a long thought " * 2000, finish_reason="length"),
    "refused": Answer(message={"content": None, "refusal": "a long thought"}),
}


@pytest.mark.parametrize("name", NEVER_SAID_AGAIN)
def test_an_empty_or_cut_off_reply_is_never_sent_back(study, stock, tmp_path, name):
    with serve(NEVER_SAID_AGAIN[name], Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2)
    first, second = (request["messages"] for request in server.requests)
    assert [message["role"] for message in second] == ["system", "user"]  # nothing empty, and roles alternate
    assert second[1]["content"].startswith(first[1]["content"]) and "Nothing was trained" in second[1]["content"]
    assert "a long thought" not in json.dumps(second) or name == "refused"
    assert "a long thought" in (tmp_path / "study" / "attachments" / "0001" / "call-1.json").read_text()
    assert trials[1].status is Status.COMPLETED


def test_only_the_answer_of_a_reply_is_sent_back(study, stock):
    thought = "<think>\n" + edit("MATRIX_LR", 1e-5, "a draft", stock) + "</think>\nNOTE: talk\nNo edit."
    with serve(Answer(thought), Answer(thought + edit("MATRIX_LR", 0.1, "in earnest", stock))) as server:
        _, trials = study(server, 2)
    assert server.requests[1]["messages"][2]["content"].strip() == "NOTE: talk\nNo edit."
    assert source.constants(trials[1].candidate.source)["MATRIX_LR"] == 0.1


class Picky(Script):
    """A server that refuses whatever holds more than two messages."""

    def answer(self, path, request):
        answer = super().answer(path, request)
        return Answer(status=400, error="too long") if request and len(request["messages"]) > 2 else answer


def test_a_refused_repair_begins_the_proposal_anew_as_one_more_recorded_call(study, stock, tmp_path):
    with serve(Answer("prose"), Answer("not reached"), Answer(edit("MATRIX_LR", 0.1, stock=stock)), kind=Picky) as server:
        _, trials = study(server, 2)
        assert trials[1].status is Status.COMPLETED and trials[1].candidate.cost.calls == 2
        assert server.requests[2]["messages"] == server.requests[0]["messages"]
        assert (tmp_path / "study" / "attachments" / "0001" / "call-2.json").is_file()
        study(server, 2)
    assert len(server.requests) == 3


def test_a_study_that_was_cut_off_after_a_refused_repair_goes_on(study, stock):
    with serve(Answer("prose"), Answer("not reached"), Answer(status=401, error="key ran out"), kind=Picky) as server:
        with pytest.raises(UserError, match="key ran out"):
            study(server, 2)
        server.answers.append(Answer(edit("MATRIX_LR", 0.1, stock=stock)))
        server.requests.pop()
        server.answers.pop(2)
        _, trials = study(server, 2)
    assert trials[1].status is Status.COMPLETED and trials[1].candidate.cost.calls == 2


def test_a_first_prompt_that_is_refused_ends_the_study(study):
    with serve(Answer(status=400, error="context length is 8192")) as server, pytest.raises(UserError, match="8192"):
        study(server, 2)
    assert len(server.requests) == 1


ODD = {
    "4,000 hexadecimal digits": f"MASK = 0x{'f' * 4000}",
    "5,000 digits": f"MASK = {'9' * 5000}",
    "1,500 signs": f"DEEP = {'-' * 1500}1",
    "1,500 brackets": f"DEEP = {'[' * 1500}{']' * 1500}",
    "1,500 negations": f"DEEP = {'not ' * 1500}1",
    "a chain of 2,000 attributes": f"deep = task{'.a' * 2000}",
    "half of a surrogate pair": 'SEP_TOKEN = "\\ud800"',
    "half of one, in the text": 'SEP_TOKEN = "\ud800"',
    "a name of 300 characters": f"{'A' * 300} = 1",
    "a null byte": 'SEP_TOKEN = "\0"',
}


@pytest.mark.parametrize("name", ODD)
def test_a_reply_that_our_own_tools_cannot_read_is_unusable_then_and_on_every_resume(study, stock, name):
    odd = Answer(f"NOTE: odd\n<<<<<<< SEARCH\nADAM_BETA1 = 0.8\n=======\nADAM_BETA1 = 0.8\n{ODD[name]}\n>>>>>>> REPLACE")
    runner = SyntheticRunner()
    with serve(odd, Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 3, "strategy.repairs=0", runner=runner)
        if trials[1].status is Status.COMPLETED:  # a server's half pair becomes a question mark on the way
            assert name == "half of one, in the text"
        else:
            assert trials[1].status is Status.UNUSABLE and "after 1 reply: the edited train.py" in trials[1].outcome.reason
            assert len(runner.requests) == 2
        _, again = study(server, 3, "strategy.repairs=0")
    assert again == trials and len(server.requests) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"reply": {}}', None])
@pytest.mark.parametrize("name", ["call-1.json", "call-2.json", ""])
def test_a_reply_that_is_lost_is_named_and_never_paid_again(study, stock, tmp_path, name, damage):
    unusable, usable = Answer("no edit"), Answer(edit("MATRIX_LR", 0.1, stock=stock))
    with serve(unusable, usable) as server:
        study(server, 2)
        path = tmp_path / "study" / "attachments" / "0001" / name
        if damage is not None and name:
            path.write_text(damage)
        elif name:
            path.unlink()
        else:
            shutil.rmtree(path)
        with pytest.raises(UserError, match=r"cannot be read \(.*\): what trial 1 was made of is lost") as refused:
            study(server, 3)
    assert str(path) in str(refused.value) and str(refused.value).count("\n") == 1
    assert len(server.requests) == 2


def test_replies_of_an_earlier_version_are_read(study, stock, tmp_path):
    with serve(Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2)
        path = tmp_path / "study" / "attachments" / "0001" / "call-1.json"
        whole = json.loads(path.read_text())
        for name in ("reasoning", "refusal", "tools"):  # which it did not keep
            del whole["reply"][name]
        path.write_text(json.dumps(whole))
        _, again = study(server, 2)
    assert again == trials and len(server.requests) == 1


REPAIRED = {
    "a reply that was cut off": (Answer("NOTE: x", finish_reason="length"), "cut off"),
    "prose": (Answer("I would try a larger learning rate."), "holds no edit"),
    "two places": (
        Answer("<<<<<<< SEARCH\n        super().__init__()\n=======\n        pass\n>>>>>>> REPLACE"),
        "matches",
    ),
    "a syntax error": (
        Answer("<<<<<<< SEARCH\nADAM_BETA1 = 0.8\n=======\nADAM_BETA1 = (\n>>>>>>> REPLACE"),
        "does not parse",
    ),
    "no change": (
        Answer("<<<<<<< SEARCH\nADAM_BETA1 = 0.8\n=======\nADAM_BETA1 = 0.8  # eight tenths\n>>>>>>> REPLACE"),
        "changes nothing",
    ),
    "no main": (Answer("<<<<<<< SEARCH\ndef main() -> None:\n=======\ndef run() -> None:\n>>>>>>> REPLACE"), "lacks"),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_an_unusable_reply_is_sent_back_with_the_reason(study, stock, name):
    answer, reason = REPAIRED[name]
    with serve(answer, Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 2)
    assert trials[1].status is Status.COMPLETED and trials[1].candidate.cost.calls == 2
    assert "Nothing was trained" in server.prompts[1] and reason in server.prompts[1]
    assert trials[1].candidate.cost.tokens_in == 20_000


def test_what_stays_unusable_is_a_trial_with_reason_and_cost_and_no_device_time(study):
    runner = SyntheticRunner()
    with serve(Answer("NOTE: just talk\nno edit")) as server:
        reason, trials = study(server, 30, "strategy.repairs=1", runner=runner)
    assert len(runner.requests) == 1 and "5 unusable answers in a row" in reason
    assert [trial.status for trial in trials[1:]] == [Status.UNUSABLE] * 5
    assert "after 2 replies: the reply holds no edit" in trials[1].outcome.reason
    assert trials[1].answer.cost.tokens_out == 200 and trials[1].answer.note == "just talk"
    assert len(server.requests) == 10


def test_the_program_of_an_earlier_trial_is_not_trained_again(study, stock):
    answers = [Answer(edit("MATRIX_LR", value, stock=stock)) for value in (5.0, 6.0, 5.0, 7.0)]
    with serve(*answers) as server:
        _, trials = study(server, 4)
    assert "program of trial 1 again" in server.prompts[3]
    assert [source.constants(trial.candidate.source)["MATRIX_LR"] for trial in trials[1:]] == [5.0, 6.0, 7.0]
    assert [trial.answer.facts.get("repeats") for trial in trials] == [None, None, None, "1"]


WHOLE = "NOTE: whole\n```python\n{}```\n"


@pytest.mark.parametrize("form", ["CRLF", "whole file", "fence in a fence", "non-ASCII"])
def test_unusual_replies_are_understood(study, stock, form):
    text = edit("MATRIX_LR", 0.1, stock=stock)
    if form == "CRLF":
        text = text.replace("\n", "\r\n")
    elif form == "non-ASCII":
        text = text.replace("an edit", "größere Schritte 日本")
    else:
        whole = source.set_constants(stock, {"MATRIX_LR": 0.1})
        if form == "fence in a fence":
            whole = whole.replace('"""Train a small GPT', '"""\n```python\nx = 1\n```\nTrain a small GPT', 1)
        text = WHOLE.format(whole)
    with serve(Answer(text)) as server:
        _, trials = study(server, 2)
    assert trials[1].status is Status.COMPLETED
    assert source.constants(trials[1].candidate.source)["MATRIX_LR"] == 0.1


def test_code_that_sets_seeds_is_trained_and_flagged_and_the_agent_is_told(study, stock):
    seeded = stock.replace("    run = task.join()\n", "    run = task.join()\n    torch.manual_seed(137)\n")
    with serve(Answer(WHOLE.format(seeded)), Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        _, trials = study(server, 3)
    assert trials[1].status is Status.COMPLETED and trials[1].candidate.facts["flags"] == "sets_seed"
    assert "[flagged: sets_seed]" in server.prompts[1] and "confirmed under other seeds" in server.prompts[1]


def test_program_md_may_change_while_a_study_runs(study, stock, tmp_path):
    program = tmp_path / "steer.md"
    program.write_text("Go left.")
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in ("MATRIX_LR", "WEIGHT_DECAY")]

    class Steers(SyntheticRunner):
        def run(self, request, observe):
            if len(self.requests) == 1:
                program.write_text("Go right.")
            return super().run(request, observe)

    with serve(*answers) as server:
        _, trials = study(server, 3, f"strategy.program={program}", runner=Steers())
    assert "Go left." in server.prompts[0] and "Go right." in server.prompts[1]
    assert len({trial.candidate.facts["program_md"] for trial in trials[1:]}) == 2
    with serve(Answer(status=500)) as server:  # resuming asks nobody
        study(server, 3, f"strategy.program={program}")
    assert not server.requests


def test_a_moment_without_program_md_is_somebody_saving_it(tmp_path, monkeypatch):
    program = tmp_path / "steer.md"
    monkeypatch.setattr(files.time, "sleep", lambda seconds: program.write_text("Go right."))
    assert files.read_edited(program) == "Go right."
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    with pytest.raises(FileNotFoundError):
        files.read_edited(tmp_path / "nothing.md")


def test_a_replay_makes_the_same_study_without_a_server_until_it_diverges(study, configure, stock, tmp_path):
    answers = [Answer(edit("MATRIX_LR", 0.1, stock=stock)), Answer("prose"), Answer(edit("WEIGHT_DECAY", 0.1, stock=stock))]
    with serve(*answers) as server:
        _, trials = study(server, 3)

    def replay(record, runner, name):
        config = configure("task=smoke", "strategy=agent", "llm=replay", f"llm.record={record}")
        strategy = make_strategy(config, stock, tmp_path / name)
        return run_study(tmp_path / name, strategy, runner, stock, 9)

    reason, again = replay(tmp_path / "study", SyntheticRunner(), "again")
    assert [trial.candidate.source for trial in again] == [trial.candidate.source for trial in trials]
    assert "all recorded replies are used up" in reason

    record = tmp_path / "record"
    shutil.copytree(tmp_path / "study", record)
    shutil.rmtree(record / "attachments" / "0002")
    other = json.loads((record / "attachments" / "0001" / "call-1.json").read_text())
    other["ask"], other["reply"]["text"] = 1, edit("MATRIX_LR", 0.1, stock=stock)  # only fits where trial 1 was kept
    (record / "attachments" / "0002").mkdir()
    other["reply"]["text"] = (
        other["reply"]["text"].replace("MATRIX_LR = 0.02", "MATRIX_LR = 0.1").replace("= 0.1  #", "= 0.3  #", 2)
    )
    (record / "attachments" / "0002" / "call-1.json").write_text(json.dumps(other))
    with pytest.raises(UserError, match=r"diverges from .* at proposal 2"):
        replay(record, SyntheticRunner(), "diverged")
    with pytest.raises(UserError, match="no recorded replies"):
        configured = configure("task=smoke", "strategy=agent", "llm=replay", f"llm.record={tmp_path / 'empty'}")
        make_strategy(configured, stock, tmp_path)


def scored(number, score, text, replicate=0):
    return Trial(number, Origin.STRATEGY, Candidate(text, replicate), Outcome(Status.COMPLETED, score, True))


def failed(number, text, replicate):
    return Trial(number, Origin.STRATEGY, Candidate(text, replicate), Outcome(Status.CRASHED, reason="x"))


SHORT, LONG = "A = 1\n", "A = 1\nB = 2\n"


def informed(sd=NOISE.sd * 2**0.5):
    """The rule `margin`, which knows by three pairs how much differences vary on one seed."""
    rule = Margin(2.0)
    for _ in range(3):
        apart = sd * 2**0.5
        rule.pairs.add(Program(1, LONG, {0: 2.4, 1: 2.4 + apart}), Program(0, SHORT, {0: 2.5, 1: 2.5}))
    return rule


@pytest.mark.parametrize(
    ("rule", "noise", "score", "text", "kept"),
    [
        (Greedy(), NOISE, 2.4999, LONG, True),
        (Greedy(), NOISE, 2.5, LONG, False),
        (informed(), NOISE, 2.46, LONG, True),  # 2 sd of a difference are 0.028
        (informed(), NOISE, 2.48, LONG, False),  # within it the shorter program wins
        (informed(), NOISE, 2.51, SHORT, True),
        (informed(), NOISE, 2.54, SHORT, False),
        (informed(), None, 2.46, LONG, True),  # the control is of no more use
        (Margin(2.0), NOISE, 2.51, SHORT, True),  # no claim, so nothing to train again
        (Margin(2.0), NOISE, 2.54, SHORT, False),
    ],
)
def test_keep_rules(rule, noise, score, text, kept):
    incumbent = Program(0, "A = 1\nC = 3\n", {0: 2.5})
    verdict, after = rule.judge(scored(1, score, text), incumbent, noise)
    assert verdict.kept == kept == (after is not incumbent) and verdict.reason
    if isinstance(rule, Margin):
        assert ("from 3 repeated pairs" if rule.pairs.degrees else "12 control trials") in verdict.reason


def test_many_small_losses_are_no_way_down():
    """Each deletion is within noise of the one before, and the second is not within noise of the best."""
    rule, incumbent = informed(), Program(0, "".join(f"A{n} = {n}\n" for n in range(30)), {0: 2.5})
    kept = []
    for number in range(1, 20):
        text = "".join(f"A{n} = {n}\n" for n in range(30 - number))
        verdict, incumbent = rule.judge(scored(number, 2.5 + 0.025 * number, text), incumbent, NOISE)
        kept.append(verdict.kept)
    assert kept == [True, *[False] * 18] and "than trial 0" in verdict.reason


@pytest.mark.parametrize(
    "text",
    ['"""Another docstring."""\nA = 1\n', "A = 1\npass\n", "A = 1\n...\n", "A = 1\n'a note'\n", "A = 1  # a note\n"],
)
def test_what_does_nothing_makes_no_other_program_and_no_shorter_one(text):
    plain = "A = 1\n"
    assert source.program_hash(text) == source.program_hash(plain)
    assert source.change(plain, text).kind == "none" and Program(0, text).length == Program(0, plain).length
    inside = f"def f():\n    'What f does.'\n    pass\n    return 1\n{text}"
    assert source.program_hash(inside) == source.program_hash(f"def f():\n    return 1\n{plain}")
    assert source.program_hash("def f():\n    return 'x'\n") != source.program_hash("def f():\n    return 'y'\n")


@pytest.mark.parametrize(("second", "kept"), [(2.41, True), (2.60, False)])
def test_a_claim_is_replicated_before_it_is_kept(second, kept):
    rule = Replicate(2.0)
    incumbent = Program(0, LONG, {0: 2.5})
    verdict, incumbent = rule.judge(scored(1, 2.42, SHORT + "D = 4\n"), incumbent, NOISE)
    due = rule.due()
    assert not verdict.kept and (due.source, due.replicate) == (LONG, 1)
    verdict, incumbent = rule.judge(scored(2, 2.5, LONG, 1), incumbent, NOISE)
    assert not verdict.kept and incumbent.scores == {0: 2.5, 1: 2.5} and rule.due().source == SHORT + "D = 4\n"
    verdict, after = rule.judge(scored(3, second, SHORT + "D = 4\n", 1), incumbent, NOISE)
    assert verdict.kept == kept and rule.due() is None
    assert after.trial == (1 if kept else 0)


def test_a_claim_whose_replicate_fails_is_dropped():
    rule = Replicate(2.0)
    incumbent = Program(0, LONG, {0: 2.5, 1: 2.5})
    rule.judge(scored(1, 2.4, SHORT), incumbent, NOISE)
    assert rule.due().replicate == 1
    rule.failed(failed(2, SHORT, 1), incumbent)
    assert rule.due() is None


def test_claims_are_settled_one_after_the_other_whatever_finished_first():
    rule, incumbent = Replicate(0.0), Program(0, LONG, {0: 2.5})
    texts = {number: SHORT + f"D = {number}\n" for number in (1, 2, 3)}
    for number, score in ((2, 2.3), (1, 2.4), (3, 2.45)):  # three claims; nothing of them is trained again yet
        verdict, incumbent = rule.judge(scored(number, score, texts[number]), incumbent, NOISE)
        assert not verdict.kept
    assert [rule.due().source, rule.due().source] == [LONG, texts[2]] and rule.due() is None
    verdict, incumbent = rule.judge(
        scored(5, 2.32, texts[2], 1), incumbent, NOISE
    )  # its own run ends before the incumbent's
    assert not verdict.kept and rule.due() is None
    verdict, incumbent = rule.judge(scored(4, 2.5, LONG, 1), incumbent, NOISE)
    assert verdict.kept and incumbent.trial == 2
    assert rule.due() is None  # the other claims are worse than the new incumbent


def test_of_a_claim_that_was_dropped_a_late_run_changes_nothing():
    rule, incumbent = Replicate(0.0), Program(0, LONG, {0: 2.5})
    rule.judge(scored(1, 2.4, SHORT), incumbent, NOISE)
    rule.judge(scored(2, 2.45, SHORT + "D = 2\n"), incumbent, NOISE)
    assert (rule.due(), rule.due()) != (None, None)
    rule.failed(failed(3, LONG, 1), incumbent)
    assert [(due.source, due.replicate) for due in (rule.due(), rule.due())] == [(LONG, 2), (SHORT + "D = 2\n", 2)]
    verdict, same = rule.judge(scored(4, 2.0, SHORT, 1), incumbent, NOISE)
    assert not verdict.kept and "dropped" in verdict.reason and same is incumbent and incumbent.scores == {0: 2.5}


def test_a_margin_is_of_differences_on_equal_seeds_once_three_pairs_show_their_noise():
    """-0.08 on two equal seeds is no luck where pairs differ by 0.01, whatever single scores do."""
    rule, incumbent, floor = Replicate(2.0), Program(0, LONG, {0: 2.5}), NoiseFloor(2.5, sd=0.06, trials=12)
    verdicts = []
    for claim in range(4):
        text = LONG + f"D = {claim}\n"
        rule.judge(scored(3 * claim + 1, 2.42, text), incumbent, floor)
        while (due := rule.due()) is not None:
            score = 2.55 if due.source == LONG else 2.46
            verdict, incumbent = rule.judge(scored(9, score, due.source, 1), incumbent, floor)
        verdicts.append(verdict)
        if verdict.kept:
            break
    assert [verdict.kept for verdict in verdicts] == [False, False, True]
    assert "0.0850 better than trial 0, margin 0.1200 = 2 sd" in verdicts[0].reason and "unequal seeds" in verdicts[0].reason
    assert "margin 0.0100 = 2 sd" in verdicts[2].reason and "paired by seed, from 3 repeated pairs" in verdicts[2].reason


def test_under_margin_the_first_claims_are_trained_again_until_three_pairs_show_the_noise():
    """Then one training run decides: -0.08 is no luck where pairs differ by 0.01, whatever the control's scores do."""
    rule, incumbent, floor = Margin(2.0), Program(0, LONG, {0: 2.5}), NoiseFloor(2.5, sd=0.06, trials=12)
    again = []
    for claim in range(3):
        verdict, incumbent = rule.judge(scored(3 * claim + 1, 2.42, LONG + f"D = {claim}\n"), incumbent, floor)
        assert not verdict.kept
        while (due := rule.due()) is not None:
            again.append(due.source)
            score = 2.55 if due.source == LONG else 2.46
            verdict, incumbent = rule.judge(scored(9, score, due.source, 1), incumbent, floor)
    assert len(again) == 4 and again.count(LONG) == 1 and verdict.kept
    verdict, after = rule.judge(scored(20, 2.37, LONG + "E = 5\n"), incumbent, floor)
    assert verdict.kept and after.trial == 20 and rule.due() is None
    assert "margin 0.0141 = 2 sd" in verdict.reason and "paired by seed, from 3 repeated pairs" in verdict.reason


class Unaudited(SyntheticRunner):
    """Scores that were too far from the best to be challenged."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        return outcome if request.is_stock else replace(outcome, audited=False)


@pytest.mark.parametrize("keep", ["greedy", "margin", "replicate"])
def test_nothing_unaudited_is_built_on(study, stock, keep):
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in ("MATRIX_LR", "WEIGHT_DECAY", "EMBEDDING_LR")]
    with serve(*answers) as server:
        _, trials = study(server, 4, f"strategy.keep={keep}", runner=Unaudited(), noise=NOISE)
    assert [trial.candidate.parent for trial in trials[1:]] == [0, 0, 0]


NAMES = ("MATRIX_LR", "WEIGHT_DECAY", "EMBEDDING_LR", "SCALAR_LR", "ADAM_BETA1", "WARMUP_RATIO", "FINAL_LR_FRAC")


@pytest.mark.parametrize("keep", ["greedy", "margin", "replicate"])
def test_every_rule_survives_failures_and_resumes(study, stock, keep):
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in NAMES]
    with serve(*answers) as server:
        settings = [f"strategy.keep={keep}"]
        _, trials = study(server, 8, *settings, runner=FailsOn(fails=lambda number: number == 2), noise=NOISE)
    assert [trial.status is Status.COMPLETED for trial in trials] == [True, True, False, *[True] * 5]
    with serve(Answer(status=500)) as server:
        _, again = study(server, 8, *settings, noise=NOISE)
    assert again == trials and not server.requests


class Improves(SyntheticRunner):
    """Each new program is better than the last one, and a replicate as good as its first training."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        programs = list(dict.fromkeys(seen.source for seen in self.requests))
        return replace(outcome, val_bpb=2.5 - 0.1 * programs.index(request.source))


class ImprovesButFailsOnce(Improves):
    """The second of its training runs after the stock's is cut off."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        failed = Outcome(Status.TIMED_OUT, reason="injected", train_seconds=0.5)
        return failed if len(self.requests) == 3 else outcome


def test_a_replicate_that_failed_does_not_stand_in_the_way_of_later_claims(study, stock, tmp_path):
    """The stock's replicate 1 fails; the next claim is judged on another one."""
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in NAMES]
    with serve(*answers) as server:
        runner = ImprovesButFailsOnce()
        _, trials = study(server, 6, "strategy.keep=replicate", runner=runner, noise=NOISE)
    assert [(trial.candidate.replicate, str(trial.status)) for trial in trials] == [
        (0, "completed"),
        (0, "completed"),
        (1, "timed_out"),
        (0, "completed"),
        (2, "completed"),
        (2, "completed"),
    ]
    with Journal(tmp_path / "study", print) as journal:
        verdict = journal.entries[5].verdict
    assert verdict.kept and "than trial 0" in verdict.reason


def test_a_confirmed_edit_is_told_as_the_edit_it_is(study, stock, tmp_path):
    answers = [Answer(edit(name, 0.11, f"edit of {name}", stock)) for name in NAMES[:2]]
    with serve(*answers) as server:
        _, trials = study(server, 6, "strategy.keep=replicate", runner=Improves(), noise=NOISE)
    assert [trial.candidate.replicate for trial in trials] == [0, 0, 1, 1, 0, 1]
    lines = server.prompts[1].split("# Every trial so far")[1].split("\n# ")[0].strip().splitlines()
    assert lines[1] == "- 1: 2.4000 (-0.1000 against 0) KEPT edit of MATRIX_LR"
    assert server.prompts[1].count("Hypothesis: because") == 1  # a further training run is no idea of its own


class LuckyAtFirst(Improves):
    """The first claim does not come again, and the second one does."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        return replace(outcome, val_bpb={2: 2.0, 4: 3.5}.get(len(self.requests), outcome.val_bpb))


def test_a_study_stands_for_what_its_rule_kept_and_not_for_its_best_score(study, stock, tmp_path):
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in NAMES]
    with serve(*answers) as server:
        study(server, 6, "strategy.keep=replicate", runner=LuckyAtFirst(), noise=NOISE)
    with Journal(tmp_path / "study", print) as journal:
        entries = journal.entries
    assert ranked(entries)[0].number == 1 and winner_at(entries, 5).number == 0
    winner = winner_of(entries)
    assert winner.number == 5 and winner.trial.candidate.source == entries[4].trial.candidate.source


def test_an_edit_whose_base_was_replaced_is_applied_to_the_new_one(study, stock, tmp_path):
    for _ in ("begun", "resumed"):
        with serve(*[Answer(edit(name, 0.11, f"edit of {name}", stock)) for name in NAMES[:2]]) as server:
            _, trials = study(server, 3, runner=Improves(), several=Several(ahead=1))
        candidate = trials[2].candidate
        assert candidate.parent == 1 and candidate.facts["stale"] == "applied to trial 1" and candidate.cost.calls == 1
        values = source.constants(candidate.source)
        assert [values[name] for name in NAMES[:2]] == [0.11, 0.11]
    assert not server.requests
    with Journal(tmp_path / "study", print) as journal:
        kinds = [line["kind"] for line in journal.lines]
    assert kinds[3:] == ["asked", "started", "asked", "told", "rebased", "started", "told"]


def test_an_edit_that_does_not_fit_the_new_base_is_asked_for_anew_and_paid_once(study, stock):
    changes = (("MATRIX_LR", 0.11), ("MATRIX_LR", 0.12), ("WEIGHT_DECAY", 0.3))
    texts = [edit(*change, stock=stock) for change in changes]
    for start in ("begun", "resumed"):
        with serve(*map(Answer, texts)) as server:
            _, trials = study(server, 3, runner=Improves(), several=Several(ahead=1))
        candidate = trials[2].candidate
        assert candidate.parent == 1 and candidate.facts["stale"] == "asked anew for trial 1"
        assert (candidate.cost.calls, candidate.facts["calls"]) == (2, "2")
        assert source.constants(candidate.source)["MATRIX_LR"] == 0.11
        if start == "begun":
            ahead, anew = server.prompts[1:]
            assert "# train.py (trial 0" in ahead and "- trial 1: an edit" in ahead.split("# Being tried now")[1]
            assert "# train.py (trial 1" in anew and "Being tried now" not in anew
    assert not server.requests


def test_a_whole_file_is_no_edit_of_another_base(study, stock):
    other = source.set_constants(stock, {"WEIGHT_DECAY": 0.25})
    whole = f"NOTE: all of it\nHYPOTHESIS: none\n\n```python\n{other}```\n"
    texts = [edit("MATRIX_LR", 0.11, stock=stock), whole, edit("WEIGHT_DECAY", 0.3, stock=stock)]
    with serve(*map(Answer, texts)) as server:
        _, trials = study(server, 3, runner=Improves(), several=Several(ahead=1))
    assert trials[2].candidate.facts["stale"] == "asked anew for trial 1"
    assert source.constants(trials[2].candidate.source)["MATRIX_LR"] == 0.11


def test_what_is_being_tried_is_not_proposed_again(study, stock):
    same, other = edit("MATRIX_LR", 0.11, stock=stock), edit("WEIGHT_DECAY", 0.3, stock=stock)
    with serve(Answer(same), Answer(same), Answer(other)) as server:
        _, trials = study(server, 3, several=Several(parallel=2))
    assert "the program of trial 1, which is being tried by now" in server.prompts[2]
    assert source.constants(trials[2].candidate.source)["WEIGHT_DECAY"] == 0.3


@pytest.mark.parametrize("keep", ["greedy", "margin", "replicate"])
@pytest.mark.parametrize("order", [0, 1])
def test_every_rule_keeps_what_it_should_whatever_ends_first(study, stock, keep, order):
    answers = [Answer(edit(name, 0.11, stock=stock)) for name in NAMES]
    several = Several(3, 1, order)
    with serve(*answers) as server:
        _, trials = study(server, 9, f"strategy.keep={keep}", runner=Improves(), noise=NOISE, several=several)
    with serve(*answers) as again:
        runner = Improves()
        _, resumed = study(again, 9, f"strategy.keep={keep}", runner=runner, noise=NOISE, several=several)
    assert resumed == trials and not again.requests and not runner.requests
    trained = [(trial.candidate.source, trial.candidate.replicate) for trial in trials if trial.candidate]
    assert len(set(trained)) == len(trained)
    assert any(replicate > 0 for _, replicate in trained) == (keep != "greedy")


def test_every_playbook_edit_does_what_it_says(configure):
    stock = stock_of(configure("task=cpu")).text
    entries = OmegaConf.to_container(OmegaConf.load(ROOT / "search" / "llm" / "playbook.yaml"))
    assert len(entries) >= 24
    kinds = []
    for entry in entries:
        try:
            edited = edits.new_program(entry["edit"], stock)
            kind = source.change(stock, edited).kind
        except edits.EditError:
            kind = "none"
        assert (kind == "none") == (entry.get("fails") == "unusable"), entry["note"]
        kinds.append(kind)
    assert kinds.count("code") >= len(entries) / 2
    assert {entry.get("fails") for entry in entries} >= {"unusable", "crashed", "diverged", "disqualified"}


def test_a_recorded_reply_is_on_disk_before_it_is_read(tmp_path, stock, configure):
    """Whatever happens to a reply afterwards, it is not paid for twice."""

    class Client:
        calls = 0

        def complete(self, messages, ask, call):
            from search.llm.reply import Reply

            Client.calls += 1
            return Reply("text", "stop", "model")

    recorder = Recorder(Client(), tmp_path)
    assert recorder.recorded(7, 0) is None
    recorder.complete(7, [{"role": "user", "content": "hello"}], "Do well.", 3, 0)
    assert recorder.recorded(7, 0).reply.text == "text" and Client.calls == 1


def test_settings_that_make_no_sense_are_refused(configure, stock, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    local = ["llm=local", "llm.model=m"]
    for name, data in (("empty", b""), ("torn", b"- ["), ("latin", b"- caf\xe9")):
        (tmp_path / f"{name}.yaml").write_bytes(data)
    for overrides, said in (
        (["llm=openai", "llm.model=m"], "OPENAI_API_KEY"),
        (["llm=local"], "llm.model"),
        ([*local, "strategy.keep=hopeful"], "greedy, margin, replicate"),
        ([*local, "strategy.repairs=-1"], "0 or more"),
        ([*local, "strategy.program=nothing.md"], "strategy.program"),
        (["llm=playbook", "llm.file=conf/config.yaml"], "llm.file"),
        (["llm=playbook", f"llm.file={tmp_path / 'empty.yaml'}"], "no edits"),
        (["llm=playbook", f"llm.file={tmp_path / 'torn.yaml'}"], "llm.file.*ParserError"),
        (["llm=playbook", f"llm.file={tmp_path / 'latin.yaml'}"], "llm.file.*UnicodeDecodeError"),
        (["llm=replay"], "llm.record"),
    ):
        with pytest.raises(UserError, match=said):
            make_strategy(configure("task=smoke", "strategy=agent", *overrides), stock, tmp_path)
    for overrides, said in (
        (["llm.patience_minutes=long"], "llm.patience_minutes=long: must be a number"),
        (["llm.price.input=cheap"], "llm.price.input"),
        (["study.usd=5"], "needs llm.price.input"),
        (["+llm.colour=red"], "no such setting"),
    ):
        with pytest.raises(UserError, match=said):
            configure("task=smoke", "strategy=agent", "llm=openai", "llm.model=m", *overrides)


def test_dollars_end_a_study(study, stock, configure, tmp_path):
    from search.config.schema import StudyConfig
    from search.study.budget import Budget, Used

    def spent(trials):
        return budget.spent(Used.by(trials))

    history = [Trial(0, Origin.STOCK, Candidate(stock), Outcome(Status.COMPLETED, 2.5, True))]
    budget = Budget(StudyConfig(usd=0.02))  # two replies cost 0.0202: cached tokens are free
    with serve(*[Answer(edit("MATRIX_LR", 0.02 + n / 100, stock=stock)) for n in range(1, 9)]) as server:
        # Greedy: under other rules a trial may be a replicate, for which nobody is asked.
        _, trials = study(
            server, 3, "strategy.keep=greedy", "llm.price.input=1.0", "llm.price.cached=0", "llm.price.output=5.0"
        )
    assert spent(history) is None and spent(trials[:2]) is None
    assert spent(trials) is not None and "dollars are used" in spent(trials)
    unknown = replace(trials[1], answer=replace(trials[1].answer, cost=replace(trials[1].answer.cost, usd=None)))
    assert "unknown" in spent([unknown, *trials])  # better to stop than to spend without count


UP, SILU_LINE = "        return self.down(F.relu(self.up(x)).square())", "        return self.down(F.silu(self.up(x)))"
SILU = f"NOTE: SiLU\nEXPECT: -0.02\n<<<<<<< SEARCH\n{UP}\n=======\n{SILU_LINE}\n>>>>>>> REPLACE\n"
MENDED = f"BASE: 1\nNOTE: half\n<<<<<<< SEARCH\n{SILU_LINE}\n=======\n{SILU_LINE} * 0.5\n>>>>>>> REPLACE\n"


def test_an_idea_of_the_code_that_broke_is_followed_up_from_its_own_program_once(study, stock):
    broke = FailsOn(fails=lambda number: number in (1, 2))
    answers = [SILU, MENDED, MENDED.replace("0.5", "0.7").replace("BASE: 1", "BASE: 2"), edit("MATRIX_LR", 0.1, stock=stock)]
    with serve(*map(Answer, answers)) as server:
        _, trials = study(server, 4, runner=broke)
        _, again = study(server, 4)
    assert again == trials and len(server.requests) == 4
    assert [trial.candidate.parent for trial in trials[1:]] == [0, 1, 0]
    assert "F.silu" in trials[2].candidate.source and "F.silu" not in trials[3].candidate.source
    assert "follow up trial 1 (SiLU)" in server.prompts[1] and "follow up" not in server.prompts[2]
    assert "BASE: 2 is not on offer" in server.prompts[3]
    assert (trials[1].candidate.facts["expected"], trials[1].candidate.facts["mode"]) == ("-0.02", "structure")


def test_nothing_is_followed_up_where_nobody_wants_that(study, stock):
    with serve(Answer(SILU), Answer(edit("MATRIX_LR", 0.1, stock=stock))) as server:
        study(server, 3, "strategy.follow=0", runner=FailsOn(fails=lambda number: number == 1))
    assert "follow up" not in server.prompts[1]


def test_a_notebook_is_shown_whole_until_it_is_replaced(study, stock):
    names = ("MATRIX_LR", "WEIGHT_DECAY", "EMBEDDING_LR", "SCALAR_LR")
    first, second, third, last = (edit(name, 0.11, stock=stock) for name in names)
    first, third = f"{first}\nNOTES:\n- rates\n  matter", f"{third}\n**NOTES:** decay does not"
    with serve(*map(Answer, (first, second, third, last))) as server:
        study(server, 5)
        study(server, 5)
    books = [prompt.partition("# Your notebook\n\n")[2].partition("\n\n# ")[0] for prompt in server.prompts]
    assert books == ["", "- rates\n  matter", "- rates\n  matter", "decay does not"]


def test_a_proposal_that_follows_up_what_was_replaced_is_asked_for_anew(study, stock):
    """Trial 3 follows up trial 1, and meanwhile trial 2, an edit of the stock, becomes the program to build on."""
    second = SILU.replace("SiLU", "GELU").replace("F.silu", "F.gelu")
    answers = [SILU, edit("MATRIX_LR", 0.1, stock=stock), MENDED, second]

    class FirstIsBad(Improves):
        def run(self, request, observe):
            outcome = super().run(request, observe)
            return replace(outcome, val_bpb=2.501) if "F.silu" in request.source else outcome

    with serve(*map(Answer, answers)) as server:
        _, trials = study(server, 4, runner=FirstIsBad(), several=Several(ahead=1))
    assert trials[2].candidate.parent == 0 and trials[3].candidate.facts["stale"] == "asked anew for trial 2"
    assert trials[3].candidate.parent == 2 and "F.gelu" in trials[3].candidate.source
