"""One candidate in, one outcome out: real processes, small programs, one property each."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from search.config.messages import UserError
from search.config.schema import AllowanceConfig, AllowancesConfig, BudgetConfig
from search.executor.local import make_runner
from search.runner.device.leases import available, lease
from search.runner.device.locks import VARIABLE
from search.runner.process.candidate_process import LOG_HEAD, LOG_TAIL
from search.runner.process.sandbox import Unprotected
from search.study.prune import Rule
from search.study.request import TrialRequest
from search.study.trial import LossPoint, Status
from tests.programs import HONEST_MODEL, LOOKS_AHEAD, TRAINED, UNTRAINED, program
from tests.sandboxes import WORKING


@pytest.fixture
def run(quick, tmp_path):
    """Run a program on the smoke task, with some of the task's settings changed."""
    config, prepared = quick

    def run_program(source: str, request: dict | None = None, **settings):
        task = replace(config.task, **settings)
        runner = make_runner(replace(config, task=task), prepared, tmp_path)
        asked = TrialRequest(source, 1, tmp_path / "logs" / "trial", **({"is_stock": True} | (request or {})))
        with contextlib.closing(runner):
            outcome = runner.run(asked, lambda progress: None)
        assert not list((tmp_path / "work").iterdir())
        return outcome

    return run_program


def test_an_honest_program_is_trained_scored_and_audited(run, tmp_path):
    outcome = run(program(main=TRAINED))
    assert (outcome.status, outcome.audited, outcome.reason) == (Status.COMPLETED, True, "")
    assert outcome.tokens == 16384 and outcome.steps == 16
    assert 3.0 < outcome.val_bpb < 6.0
    assert set(outcome.seconds) == {"start", "import", "build", "compile", "data", "train", "save", "score", "audit"}
    assert outcome.losses[0].loss > outcome.losses[-1].loss
    assert (tmp_path / "stock_nats.f32").is_file()


def test_which_rows_are_scored_depends_on_no_batch_size(run):
    """Neither on the harness's nor on the program's: the published task scores other rows where a batch is larger."""
    scores = [run(program(main=TRAINED), scoring_batch=batch).val_bpb for batch in (16, 7)]  # 64 rows; 7 leaves a rest
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_every_sandbox_gives_the_same_score(smoke, tmp_path):
    """In processes that start as a user's do."""
    config, prepared = smoke
    scores = set()
    for box in (*WORKING, Unprotected()):
        runner = make_runner(replace(config, sandbox=box.name), prepared, tmp_path)
        request = TrialRequest(program(main=TRAINED), 1, tmp_path / "logs" / "trial", is_stock=True)
        scores.add(runner.run(request, lambda progress: None).val_bpb)
    assert len(scores) == 1 and None not in scores


def test_an_untrained_uniform_model_scores_log2_of_the_vocabulary(run, smoke):
    config, prepared = smoke
    outcome = run(program(build="model = Model(vocab_size); nn.init.zeros_(model.table.weight); return model"))
    judge = make_runner(config, prepared, prepared.folder).auditor
    targets = judge.rows[:, 1:]
    text = targets[targets != judge.bos]
    expected = math.log2(config.task.vocab_size) * len(text) / judge.byte_lengths[text].sum()
    assert outcome.val_bpb == pytest.approx(expected, rel=1e-6)


def test_a_cheat_is_challenged_only_where_it_could_win(run):
    run(program())
    outcome = run(program(model=LOOKS_AHEAD), {"is_stock": False, "beat": 0.0})
    assert (outcome.status, outcome.audited) == (Status.COMPLETED, False)
    outcome = run(program(model=LOOKS_AHEAD), {"is_stock": False, "beat": 0.0, "audit_anyway": True})
    assert outcome.status is Status.DISQUALIFIED and "differ from the claim" in outcome.reason


@pytest.mark.parametrize("damage", [None, b"", b"PK and no array"])
def test_without_the_stocks_nats_nothing_is_trained(run, tmp_path, damage):
    if damage is not None:
        (tmp_path / "stock_nats.f32").write_bytes(damage)
    with pytest.raises(UserError, match=r"stock_nats\.f32: is missing or damaged.*\n.*experiment=") as refused:
        run(program(), {"is_stock": False})
    assert str(refused.value).count("\n") == 1 and not (tmp_path / "logs").exists()


MAIN = "def main():\n    run = task.join()\n"
ENDS = {
    "an error while training": (MAIN + "    raise ValueError('no such layer')", Status.CRASHED, "ValueError: no such layer"),
    "an error on import": ("raise RuntimeError('at once')", Status.CRASHED, "RuntimeError: at once"),
    "no main": ("main = None", Status.CRASHED, "TypeError"),
    "out of memory": (MAIN + "    raise torch.OutOfMemoryError('too big')", Status.OUT_OF_MEMORY, "too big"),
    "too big for the machine": (MAIN + "    torch.empty(2**60)", Status.OUT_OF_MEMORY, "allocate"),
    "killed by the kernel": (MAIN + "    os.kill(os.getpid(), 9)", Status.OUT_OF_MEMORY, "SIGKILL"),
    "an exit without weights": (MAIN + "    sys.exit(0)", Status.CRASHED, "exit code 0"),
    "a loss that is no number": (
        MAIN + "    for _ in run.batches(16):\n        run.report(torch.tensor(float('nan')))",
        Status.DIVERGED,
        "nan",
    ),
    "garbage instead of messages": (MAIN + "    run._channel.connection.sendall(b'garbage\\n')", Status.CRASHED, "protocol"),
    "a number that is none": (
        MAIN + "    run._channel.send({'event': 'ready'})\n    run._channel.receive()\n"
        "    run._channel.send({'event': 'submitted', 'steps': 'many'})\n    time.sleep(5)",
        Status.CRASHED,
        "not a number",
    ),
    "no weights": (
        MAIN
        + "    for _ in run.batches(16): pass\n"
        + "    run._channel.send({'event': 'submitted', 'dropped_share': 0, 'late': [], **run._facts()})\n    time.sleep(5)",
        Status.DISQUALIFIED,
        "weights",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_end_has_its_status_and_reason(run, name):
    main, status, reason = ENDS[name]
    outcome = run(program(main=main))
    assert (outcome.status, outcome.val_bpb) == (status, None)
    assert reason in outcome.reason and "\n" not in outcome.reason


def test_a_model_whose_numbers_are_none_diverged(run):
    outcome = run(program(build="model = Model(vocab_size); model.table.weight.data.fill_(float('nan')); return model"))
    assert outcome.status is Status.DIVERGED


def test_a_model_without_build_model_cannot_be_scored(run):
    outcome = run(
        program(main=UNTRAINED.replace("build_model(", "Model(").replace(", run.sequence_length", ""))
        + "\ndel build_model\n"
    )
    assert outcome.status is Status.CRASHED


def test_scoring_errors_reach_no_strategy(run, tmp_path):
    model = HONEST_MODEL.replace("return self.table(tokens)", "raise ValueError(f'scored text: {tokens[0].tolist()}')")
    outcome = run(program(model=model))
    assert (outcome.status, outcome.reason) == (Status.CRASHED, "the trained model could not be scored")
    assert "scored text" not in outcome.log_tail
    assert "scored text" in (tmp_path / "logs" / "trial.scoring.txt").read_text()


def test_a_wall_clock_budget_ends_by_itself(run, monkeypatch):
    monkeypatch.setattr("search.runner.training.OVERRUN_SECONDS", 60.0)  # a stalled machine is not what is tested
    outcome = run(program(main=TRAINED), budget=BudgetConfig(seconds=1.0))
    assert outcome.status is Status.COMPLETED
    assert outcome.train_seconds > 0.5


def test_start_up_is_capped(run):
    outcome = run(program(main=MAIN + "    time.sleep(60)"), startup_seconds=1.0)
    assert outcome.status is Status.TIMED_OUT and "startup_seconds" in outcome.reason


BUSY = TRAINED.replace("    run = task.join()", "    while time.process_time() < {seconds}: pass\n    run = task.join()")
STOCK = {"startup": 0.0, "ready": 10.0, "weights_mb": 1.0}
ALLOWED = {"startup": 1.0, "ready": 10.0, "answers": 10.0}


def allowances(**seconds: float) -> AllowancesConfig:
    return AllowancesConfig(**{name: AllowanceConfig(1.0, allowed) for name, allowed in {**ALLOWED, **seconds}.items()})


def test_a_start_up_beyond_the_stocks_comes_off_the_budget(run, monkeypatch):
    monkeypatch.setattr("search.runner.training.OVERRUN_SECONDS", 60.0)
    budget, busy = BudgetConfig(seconds=6.0), program(main=BUSY.replace("{seconds}", "3"))
    outcome = run(busy, {"stock": STOCK}, budget=budget, allowances=allowances())
    assert outcome.status is Status.COMPLETED
    assert 2.0 <= outcome.spent["startup_beyond"] == pytest.approx(outcome.spent["startup"] - 1.0, abs=0.01)
    assert outcome.losses[-1].seconds < 6.0 - outcome.spent["startup_beyond"] + 1.0


@pytest.mark.parametrize("budget", [BudgetConfig(seconds=2.0), BudgetConfig(tokens=16384, cap_seconds=60.0)], ids=str)
def test_a_start_up_that_costs_most_of_the_budget_ends_the_trial(run, budget):
    busy = program(main=BUSY.replace("{seconds}", "3"))
    outcome = run(busy, {"stock": STOCK}, budget=budget, allowances=allowances())
    assert outcome.status is Status.TIMED_OUT and "start-up took" in outcome.reason


def test_what_learns_before_it_answers_takes_too_long_to_get_ready(run):
    run(program(main=TRAINED))
    build = "begun = time.process_time()\n    while time.process_time() < begun + 2: pass\n    return Model(vocab_size)"
    limits = allowances(startup=60.0, ready=0.5)
    asked = {"stock": {**STOCK, "ready": 0.1}, "is_stock": False}
    outcome = run(program(main=TRAINED, build=build), asked, allowances=limits)
    assert outcome.status is Status.TIMED_OUT and "warming up took" in outcome.reason


def test_weights_far_larger_than_the_stocks_are_refused(run):
    outcome = run(program(main=TRAINED), {"stock": {**STOCK, "weights_mb": 0.001}}, weights_factor=10.0)
    assert outcome.status is Status.DISQUALIFIED and "task.weights_factor=10" in outcome.reason


def test_a_model_may_give_a_token_no_chance_that_never_comes_but_not_one_that_does(run):
    """The mark of a document's beginning is no text, and is not scored."""
    forward = "mask = torch.zeros(self.table.num_embeddings); mask[{at}] = -torch.inf; return self.table(tokens) + mask"
    never = HONEST_MODEL.replace("return self.table(tokens)", forward.replace("{at}", "-1"))
    always = HONEST_MODEL.replace("return self.table(tokens)", forward.replace("{at}", ":-1"))
    outcome = run(program(model=never))
    assert (outcome.status, outcome.audited) == (Status.COMPLETED, True)
    assert run(program(model=always)).status is Status.DIVERGED


def test_a_finite_score_that_means_nothing_is_none(run):
    build = "model = Model(vocab_size); model.table.weight.data.mul_(1e30); return model"
    outcome = run(program(build=build))
    assert outcome.status is Status.DIVERGED and "chance" in outcome.reason


def test_a_slow_scoring_is_no_cheat(run):
    build = "time.sleep(60); return Model(vocab_size)"
    main = UNTRAINED.replace("build_model(run.vocab_size, run.sequence_length)", "Model(run.vocab_size)")
    outcome = run(program(build=build, main=main), scoring_seconds=2.0)
    assert outcome.status is Status.TIMED_OUT and "scoring_seconds" in outcome.reason


def test_a_trial_that_equals_the_best_is_audited(run):
    first = run(program())
    assert run(program(), {"is_stock": False, "beat": first.val_bpb}).audited


def test_a_flood_of_output_is_cut(run, tmp_path):
    main = UNTRAINED.replace("    run =", "    print('begin'); print('x' * 20_000_000); print('end', flush=True)\n    run =")
    outcome = run(program(main=main))
    log = (tmp_path / "logs" / "trial.train.txt").read_text()
    assert outcome.status is Status.COMPLETED
    assert log.startswith("begin") and log.rstrip().endswith("end") and len(log) < LOG_HEAD + LOG_TAIL + 100


def test_the_training_seed_reaches_the_program(run):
    main = UNTRAINED.replace(
        "    run = task.join()", "    run = task.join()\n    print(run.seed, torch.rand(1).item(), flush=True)"
    )
    logs = [run(program(main=main)).log_tail for _ in range(2)]
    assert logs[0] == logs[1] and logs[0].startswith("1 ")


def test_a_device_is_held_by_one_trial_at_a_time(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "leases"))
    cores = len(available("cpu", 1))
    code = (
        "import sys, time\nfrom search.runner.device.leases import lease\n"
        f"with lease('cpu', {cores}, lambda holders: None) as device:\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"

    class Waiting(Exception):
        pass

    def waiting(holders):
        raise Waiting(holders)

    with (
        pytest.raises(Waiting, match=rf"process {holder.pid} of \w+ .*, which has been running since"),
        lease("cpu", 1, waiting),
    ):
        pass
    holder.kill()  # -9: the kernel frees what it held
    holder.wait()
    with lease("cpu", 1, waiting) as device:
        assert len(device.cores) == 1
    holder.stdout.close()


def test_devices_that_are_not_there_are_named():
    with pytest.raises(UserError, match=r"task\.threads=9999"):
        available("cpu", 9999)
    if not Path("/dev/nvidiactl").exists():
        with pytest.raises(UserError, match="task=cpu"):
            available("cuda", 1)


def test_a_hopeless_trial_is_ended_early(run):
    slow = """
def main():
    run = task.join()
    trainer = run.start(lambda: Trainer(), 16)
    for tokens, targets in run.batches(16):
        time.sleep(0.2)
        run.report(trainer.step(tokens, targets, run.progress))
    run.submit(build_model(run.vocab_size, run.sequence_length))

class Trainer:
    def step(self, tokens, targets, progress):
        return torch.tensor(4.0)
"""
    curve = [LossPoint(0.0, tokens, 3.6) for tokens in range(0, 16_385, 512)]
    rule = Rule(0.3, BudgetConfig(tokens=16_384), {"the stock's": curve})
    outcome = run(program(main=slow), {"prune": rule})
    assert outcome.status is Status.PRUNED and "0.40 nats above the stock's" in outcome.reason
    assert outcome.pruned_at == 0.438 and outcome.tokens == 7_168
    assert outcome.val_bpb is None and "score" not in outcome.seconds
