"""What is put on record of a trial beside its score, and that none of it can be made up or break a trial."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pynvml import NVML_ERROR_NOT_SUPPORTED, NVMLError

from search.config.messages import UserError
from search.config.schema import BudgetConfig
from search.console.run_study import check
from search.data.corpus import FilesCorpus
from search.data.tokenizer import Tokenizer
from search.data.tokens import prepare
from search.executor.local import make_runner
from search.runner.device.leases import Device, lease
from search.runner.device.nvml import Card
from search.runner.device.telemetry import Telemetry
from search.runner.process.watchdog import Use
from search.runner.training import train
from search.runner.training_record import described
from search.runner.trial_runner import metered
from search.study.identity import task_facts
from search.study.request import TrialRequest
from search.study.trial import Outcome, Status
from search.task.protocol import ProtocolError
from tests.programs import TRAINED, UNTRAINED, program
from tests.runner.device.hardware import TWO_CARDS, put_nvidia_smi

NEW_FIELDS = ("field_bpb", "audit_sd", "audit_max", "telemetry", "described", "probe_before", "probe_after")
GB = 2**30


@pytest.fixture
def run(quick, tmp_path):
    """Run a program on the smoke task, with some of the task's settings, or its text, changed."""
    config, python_text = quick

    def run_program(source, prepared=python_text, **settings):
        task = replace(config.task, **settings)
        runner = make_runner(replace(config, task=task), prepared, tmp_path)
        with contextlib.closing(runner):
            asked = TrialRequest(source, 1, tmp_path / "logs" / "trial", is_stock=True)
            return runner.run(asked, lambda progress: None)

    return run_program


@pytest.fixture
def train_on(quick, tmp_path):
    """Train on a device of the test's own, without scoring."""
    config, prepared = quick

    def train_program(source, device, **settings):
        task = replace(config.task, **settings)
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "train.py").write_text(source)
        with contextlib.closing(make_runner(config, prepared, tmp_path)) as runner:
            return train(task, runner.text, runner.auditor.bos, 1, folder, device, runner.sandbox, lambda progress: None)

    return train_program


def test_a_journal_of_an_earlier_version_is_read():
    record = json.loads(json.dumps(Outcome(Status.COMPLETED, 2.5).record()))
    for name in NEW_FIELDS:
        del record[name]
    assert Outcome.from_record(record) == Outcome(Status.COMPLETED, 2.5)


def test_the_fields_byte_count_takes_a_part_of_a_character_for_three_bytes():
    tokenizer = Tokenizer([bytes([value]) for value in range(256)] + ["日".encode(), "日".encode()[:2], b"ab"])
    exact, field = tokenizer.byte_lengths(), tokenizer.field_byte_lengths()
    assert field[:128].tolist() == [1] * 128 and field[128:256].tolist() == [3] * 128
    assert field[256:].tolist() == [3, 3, 2, 0] and exact[256:].tolist() == [3, 2, 2, 0]


def test_the_fields_count_understates_the_score_of_text_that_is_not_ascii(run, tmp_path):
    (tmp_path / "texts").mkdir()
    kana, random = [chr(0x3041 + number) for number in range(80)], np.random.default_rng(0)
    for number in range(60):  # as good as random: no character is worth a token of its own, so its bytes are scored apart
        text = "".join(random.choice(kana, 1500)) + " and plain words"
        (tmp_path / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")
    corpus = FilesCorpus(str(tmp_path / "texts"), ["*.txt"], 20)
    prepared = prepare("kana", corpus, 260, tmp_path / "cache", lambda text: None)
    outcome = run(program(), prepared, vocab_size=260)
    assert outcome.status is Status.COMPLETED
    assert outcome.field_bpb < 0.8 * outcome.val_bpb


def test_only_what_was_scored_and_challenged_has_these_numbers(run):
    scored, failed = run(program()), run("raise ValueError('at once')")
    assert 0 <= scored.audit_sd <= scored.audit_max < 1e-4  # a CPU gives the same answer twice
    assert (failed.field_bpb, failed.audit_sd, failed.audit_max) == (None, None, None)
    with pytest.raises(ValueError, match="cannot have a score"):
        Outcome(Status.CRASHED, reason="x", field_bpb=1.0)


SPEAKS = """
def main():
    run = task.join()
    run._channel.send({"event": "described", "facts": {"attention": "dense\\x1b[31m " + "x" * 300, "flops_per_token": 6.5}})
    build_model(run.vocab_size, run.sequence_length)
    run._channel.send({"event": "built"})
    for tokens, targets in run.batches(16):
        run._channel.send({"event": "described", "facts": {"flops_per_token": 7, "compiled": "no"}})
    run.submit(build_model(run.vocab_size, run.sequence_length))
"""


def test_a_program_may_say_when_it_has_built_and_what_it_is(run):
    outcome = run(program(main=SPEAKS))
    assert outcome.status is Status.COMPLETED
    assert {"start", "import", "build", "compile"} <= set(outcome.seconds)
    assert outcome.described == {"attention": "dense [31m " + "x" * 189, "flops_per_token": 7, "compiled": "no"}


WARMS_UP_TWICE = TRAINED.replace(
    "    run.submit",
    """    run.start(lambda: Trainer(run), 8)
    run.submit""",
).replace(
    "    trainer = run.start(lambda: Trainer(run), 16)",
    """    run.describe(compiled=True, x1=3, loss=float("nan"), nothing=None)
    run.start(lambda: Trainer(run), 8)
    trainer = run.start(lambda: Trainer(run), 16)""",
)


def test_a_program_may_warm_up_as_often_as_it_likes_and_say_anything_of_itself(run):
    outcome = run(program(main=WARMS_UP_TWICE))
    assert outcome.status is Status.COMPLETED, outcome.reason
    assert outcome.described == {"compiled": "True", "x1": 3, "loss": "nan", "nothing": "None"}


def test_a_program_hears_why_it_cannot_describe_itself_so(run):
    shouts = run(program(main=UNTRAINED.replace("join()\n", "join()\n    run.describe(FLOPS=1)\n")))
    assert shouts.status is Status.CRASHED and "describe takes at most 16 names like flops_per_token" in shouts.reason


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"Attention": "x"}, "is not a name"),
        ({"x" * 41: 1}, "is not a name"),
        ({"": 1}, "is not a name"),
        ({"flops": math.nan}, "described.flops is nan"),
        ({"flops": 10**30}, "described.flops is 1000000"),
        ({"compiled": True}, "described.compiled is True"),
        ({"attention": ["x"]}, "described.attention"),
        ("attention", "not a mapping"),
        (None, "not a mapping"),
        ({"x" * n: n for n in range(2, 18)}, "more than 16"),
    ],
)
def test_a_description_beyond_its_bounds_is_refused(facts, said):
    with pytest.raises(ProtocolError, match=said):
        described({"event": "described", "facts": facts}, {"x": 1})


ORDERS = {
    "described": "    Channel.inherited().send({'event': 'described', 'facts': {}})\n    run =",
    "built": "    run = task.join()\n    for _ in range(2): run._channel.send({'event': 'built'})\n    unused =",
}


@pytest.mark.parametrize("event", ORDERS)
def test_messages_out_of_place_break_the_protocol(train_on, event):
    main = UNTRAINED.replace("    run =", ORDERS[event]).replace("unused = task.join()", "pass")
    training = train_on("from search.task.protocol import Channel\n" + program(main=main), Device("cpu", "cpu"))
    assert training.failure is Status.CRASHED and f"broke the protocol: unexpected event {event}" in training.reason


OUT_OF_MEMORY = """
def main():
    run = task.join()
    for tokens, targets in run.batches(16):
        held = torch.ones(400 * 2**20, dtype=torch.uint8)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
"""


def test_a_training_out_of_memory_says_how_much_it_had(run):
    outcome = run(program(main=OUT_OF_MEMORY))
    assert outcome.status is Status.OUT_OF_MEMORY
    assert outcome.peak_memory_mb > 400
    assert outcome.reason.startswith(f"out of memory at {outcome.peak_memory_mb / 1024:.1f} GB: CUDA out of memory. Tried")


def test_memory_that_the_harness_or_the_kernel_ends_is_on_record(train_on):
    main = OUT_OF_MEMORY.replace("raise torch.OutOfMemoryError", "time.sleep(60), str")
    watched = train_on(program(main=main), Device("cpu", "cpu"), memory_gb=0.4)
    assert watched.failure is Status.OUT_OF_MEMORY and "task.memory_gb=0.4" in watched.reason
    assert watched.peak_memory_mb > 0.4 * 1024
    assert watched.reason.startswith(f"out of memory at {watched.peak_memory_mb / 1024:.1f} GB: ")
    main = OUT_OF_MEMORY.replace("raise", "time.sleep(1.5); os.kill(os.getpid(), 9); raise")
    killed = train_on(program(main=main), Device("cpu", "cpu"))
    assert "SIGKILL" in killed.reason and killed.failure is Status.OUT_OF_MEMORY and killed.peak_memory_mb > 400


# What a program does to PyTorch before it joins is what its own process then uses; scoring caps before it loads a program.
ON_A_BIG_CARD = """
from types import SimpleNamespace
torch.cuda.get_device_properties = lambda index: SimpleNamespace(total_memory=80 * 2**30)
torch.cuda.set_per_process_memory_fraction = lambda share: print("capped at", share, flush=True)
"""


def test_training_and_scoring_cap_the_memory_of_the_gpu(run, tmp_path):
    outcome = run(program(model=ON_A_BIG_CARD + program()[: program().index("def build_model")]), vram_gb=20.0)
    assert "capped at 0.25" in outcome.log_tail
    assert outcome.status is Status.CRASHED and "scoring" in outcome.reason  # no card here: the cap came before the program
    log = (tmp_path / "logs" / "trial.scoring.txt").read_text()
    assert "cap_gpu" in log and "capped at" not in log


@dataclass
class FakeGpu:
    """NVML's answers; None for a question that it does not support. Each reading uses `grows` more bytes."""

    used: int = 3 * GB
    grows: int = 0
    clock: int | None = 1980
    power: int | None = 700_000
    heat: int | None = 60
    reasons: int | None = 0

    def used_bytes(self):
        self.used += self.grows
        return self.used

    def sm_clock_mhz(self):
        return self._known(self.clock)

    def power_mw(self):
        return self._known(self.power)

    def temperature_c(self):
        return self._known(self.heat)

    def throttle_reasons(self):
        return self._known(self.reasons)

    def _known(self, value):
        if value is None:
            raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
        return value


def test_a_candidate_that_lifts_the_cap_is_ended_by_what_the_card_says(train_on):
    main = UNTRAINED.replace("        pass", "        time.sleep(60)")
    device = Device("cpu", "fake GPU-1", card=Card(FakeGpu(grows=GB // 2)))
    training = train_on(program(main=ON_A_BIG_CARD + main), device, vram_gb=2.0)
    assert training.failure is Status.OUT_OF_MEMORY and "task.vram_gb=2 of the GPU's memory" in training.reason
    assert 3 * 1024 < training.peak_memory_mb < 4 * 1024  # the cap, and what a CUDA context may take


def test_what_others_had_on_the_card_before_the_lease_is_not_the_candidates(train_on):
    device = Device("cpu", "fake GPU-1", card=Card(FakeGpu(used=70 * GB)))
    assert train_on(program(main=ON_A_BIG_CARD + UNTRAINED), device, vram_gb=2.0).failure is None


def test_memory_that_is_given_back_after_the_lease_began_makes_no_room():
    gpu = FakeGpu(used=10 * GB)
    card = Card(gpu)
    for gpu.used, expected in ((2 * GB, 0), (4 * GB, 2048)):
        assert card.read().memory_mb == expected


ALIVE = Use(1, 100.0, 0.0)


def test_a_cards_samples_become_means_extremes_and_shares():
    gpu, telemetry = FakeGpu(), Telemetry(frozenset())
    card = Card(gpu)
    for clock, power, heat, reasons, used in (
        (1980, 700_000, 60, 0x1, 5 * GB),  # idle
        (1410, 500_000, 71, 0x4, 9 * GB),  # power cap
        (1200, 300_000, 70, 0x40, 4 * GB),  # too hot
        (1980, 700_000, 66, 0x2 | 0x10, 6 * GB),  # clocks set by an application, boards in step
    ):
        gpu.clock, gpu.power, gpu.heat, gpu.reasons, gpu.used = clock, power, heat, reasons, used
        telemetry.take(ALIVE, card.read())
    assert telemetry.summary() == {
        "sm_clock_mhz": 1642.5,
        "sm_clock_min_mhz": 1200,
        "power_w": 550.0,
        "temperature_c": 71,
        "throttled_share": 0.5,
        "device_memory_peak_mb": 6 * 1024,
    }


def test_what_nvml_does_not_say_is_left_out_and_ends_no_trial(train_on):
    gpu = FakeGpu(clock=None, power=None, reasons=None)
    main = UNTRAINED.replace("        pass", "        time.sleep(0.7)")
    training = train_on(program(main=main), Device("cpu", "fake GPU-1", card=Card(gpu)), budget=BudgetConfig(seconds=2.0))
    assert training.failure is None
    assert training.telemetry.summary() == {"temperature_c": 60, "device_memory_peak_mb": 0.0}


def test_a_cap_that_nobody_could_watch_is_an_error():
    device = Device("cuda", "NVIDIA H100 NVL GPU-none", environment={"CUDA_VISIBLE_DEVICES": "GPU-none"})
    with pytest.raises(UserError, match=r"task\.vram_gb=20.*NVIDIA H100 NVL"), metered(device, 20.0):
        pass
    with metered(device, None) as leased:
        assert leased == device


def test_that_it_could_not_be_watched_is_found_before_anything_is_written(configure, monkeypatch, tmp_path):
    put_nvidia_smi(monkeypatch, tmp_path, TWO_CARDS)
    config = configure("task=gpu", "data=python", "task.vram_gb=20")
    with pytest.raises(UserError, match=r"task\.vram_gb=20.*NVIDIA H100"):
        check(config)


@pytest.mark.parametrize(("used", "share"), [([3.0, 7.0, 11.0], 1.0), ([3.0, 3.2, 3.4], 0.05), ([3.0, 6.0, 5.0], 0.375)])
def test_a_core_that_works_is_told_from_one_that_waits(used, share, monkeypatch):
    """By what the training run used; what children used is missing at times, once they have ended."""
    telemetry, clock = Telemetry(frozenset({0, 1})), iter([10.0, 12.0, 14.0])
    monkeypatch.setattr("search.runner.device.telemetry.time.monotonic", lambda: next(clock))
    for seconds in used:
        telemetry.mark(replace(ALIVE, cpu_seconds=seconds))
    assert telemetry.summary()["cpu_share"] == share


def test_a_training_run_on_a_core_says_how_busy_it_was(train_on, monkeypatch):
    monkeypatch.setattr("search.runner.training.OVERRUN_SECONDS", 60.0)  # a stalled machine is not what is tested
    with lease("cpu", 1, lambda holders: None) as device:
        training = train_on(program(main=UNTRAINED), device, budget=BudgetConfig(seconds=1.5))
    summary = training.telemetry.summary()
    assert training.failure is None and {"cpu_share"} <= set(summary) <= {"cpu_share", "stolen_share"}
    assert 0 < summary["cpu_share"] <= 1.2
    assert device.name.rpartition(" ")[2].startswith("cpu-") and len(device.name.split()) > 1


def test_a_cap_is_part_of_the_task_and_only_for_a_gpu(configure, smoke):
    for wrong, said in (
        (["task=gpu", "task.vram_gb=0"], r"task\.vram_gb=0"),
        (["task=cpu", "task.vram_gb=8"], "only task.device=cuda can be capped, not cpu"),
    ):
        with pytest.raises(UserError, match=said):
            configure(*wrong)
    prepared = smoke[1]
    free, capped = (task_facts(configure("task=gpu", f"task.vram_gb={cap}").task, prepared) for cap in ("null", "24"))
    assert capped == {**free, "vram_gb": 24.0} and "vram_gb" not in free
