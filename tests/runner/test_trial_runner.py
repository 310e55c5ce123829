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
from search.config.schema import BudgetConfig
from search.executor.local import make_runner
from search.runner.device.leases import available, lease
from search.runner.device.locks import VARIABLE
from search.runner.process.candidate_process import LOG_HEAD, LOG_TAIL
from search.runner.process.sandbox import Unprotected
from search.study.request import TrialRequest
from search.study.trial import Status
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
    assert (tmp_path / "stock_nats.npy").is_file()


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
        (tmp_path / "stock_nats.npy").write_bytes(damage)
    with pytest.raises(UserError, match=r"stock_nats\.npy: is missing or damaged.*\n.*experiment=") as refused:
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
        + "    run._channel.send({'event': 'submitted', 'dropped_share': 0, **run._facts()})\n    time.sleep(5)",
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
    assert outcome.train_seconds > 0.9


def test_start_up_is_capped(run):
    outcome = run(program(main=MAIN + "    time.sleep(60)"), startup_seconds=1.0)
    assert outcome.status is Status.TIMED_OUT and "startup_seconds" in outcome.reason


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
        f"with lease('cpu', {cores}, lambda: None) as device:\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"

    class Waiting(Exception):
        pass

    def waiting():
        raise Waiting

    with pytest.raises(Waiting), lease("cpu", 1, waiting):
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
