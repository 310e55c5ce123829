"""Other hardware than one large NVIDIA card: lists of GPUs, leases, and what is fitted to their memory. Makers' programs and
kernel files are stood in for; no test here needs a GPU, and none shows that one works."""

from __future__ import annotations

import os
import platform
import re
import runpy
import stat

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from search import device_batch, source
from search.build import budget_in_words, check, make_strategy, opening, prepare_data
from search.errors import UserError
from search.identity import fitted_stock, open_study
from search.journal import Journal
from search.paths import ROOT
from search.runner import device, gpus, sandbox
from search.runner.device import Device, available, lease
from search.runner.gpus import Gpu
from search.runner.sandbox import Bubblewrap, Landlock, Unprotected
from search.runner.training import device_of
from search.task import scoring
from search.task.launch import failure_kind

BIG, SMALL = "GPU-11111111-aaaa", "GPU-22222222-bbbb"
TWO_CARDS = f"{BIG}, 81559, NVIDIA H100 80GB HBM3\n{SMALL}, 24564, NVIDIA GeForce RTX 4090\n"


@pytest.fixture
def nvidia(monkeypatch, tmp_path):
    """Puts an nvidia-smi of our own on the path, which prints the given table."""

    def install(table: str) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{table}END\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


@pytest.fixture
def amd(monkeypatch, tmp_path):
    """Makes a folder like the kernel's of the given nodes: id, gfx version, GB; None for a CPU."""
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def build(*nodes: tuple[int, int, float] | None) -> None:
        for number, node in enumerate(nodes):
            folder = tmp_path / "nodes" / str(number)
            (folder / "mem_banks" / "0").mkdir(parents=True)
            own, version, memory = node or (0, 0, 64)
            (folder / "gpu_id").write_text(f"{7_000 + number if node else 0}\n")
            (folder / "properties").write_text(f"cpu_cores_count 0\ngfx_target_version {version}\nunique_id {own}\n")
            heap = 1 if node else 0
            bank = f"heap_type {heap}\nsize_in_bytes {int(memory * 2**30)}\nflags 0\n"
            (folder / "mem_banks" / "0" / "properties").write_text(bank)
        monkeypatch.setattr(gpus, "KFD_NODES", tmp_path / "nodes")
        monkeypatch.setattr(device, "KFD", tmp_path / "nodes")

    return build


def never():
    raise AssertionError("it had to wait")


# ---- lists and leases


def test_nvidias_cards_are_listed_with_their_memory_and_leased_by_their_own_id(nvidia, monkeypatch):
    nvidia(TWO_CARDS)
    assert [round(gpu.memory_gb) for gpu in gpus.nvidia_gpus()] == [80, 24]
    if not device.Path("/dev/nvidiactl").exists():
        with lease("cuda", 1, never) as first, lease("cuda", 1, never) as second:
            assert first.environment == {"CUDA_VISIBLE_DEVICES": BIG}
            assert second.name == f"NVIDIA GeForce RTX 4090 {SMALL}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert list(available("cuda", 1)) == [SMALL]


def test_what_nvidia_smi_does_not_know_is_not_known():
    table = "GPU-1, [N/A], NVIDIA GB10\nGPU-2, 15360, Tesla T4\nsome remark\n"
    assert gpus.parse_nvidia(table) == [Gpu("GPU-1", "NVIDIA GB10", None), Gpu("GPU-2", "Tesla T4", 15.0)]
    assert gpus.parse_nvidia("No devices were found\n") == []


@pytest.mark.parametrize(
    ("mask", "left"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("gpu-b", [1]),
        ("", []),
        ("-1", []),
        ("0,9,1", [0]),  # as CUDA does: the list ends at what is not there
        ("GPU-", []),  # which of them?
    ],
)
def test_masks_choose_by_number_or_by_the_beginning_of_an_id(mask, left):
    cards = [Gpu(f"GPU-{letter}00", "", 8.0) for letter in "abc"]
    assert gpus.visible(cards, mask) == [cards[at] for at in left]


def test_a_slice_of_a_card_is_taken_as_named_and_its_memory_is_not_known():
    [part] = gpus.visible([Gpu(BIG, "", 80.0)], "MIG-1/2/3")
    assert (part.id, part.memory_gb) == ("MIG-1/2/3", None)


def test_amds_cards_are_read_from_the_kernels_files(amd, monkeypatch):
    amd(None, (0x1234567890ABCDEF, 90402, 192), (0, 110000, 24), (5, 90402, 64), (5, 90402, 64))
    assert gpus.amd_gpus() == [
        Gpu("GPU-1234567890abcdef", "AMD gfx942", 192.0),
        Gpu("1", "AMD gfx1100", 24.0),  # it has no id of its own
        Gpu("2", "AMD gfx942", 64.0),  # two partitions that share one
        Gpu("3", "AMD gfx942", 64.0),
    ]
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "GPU-1234567890ABCDEF,3")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1")  # of the two that are left
    assert [gpu.id for gpu in gpus.amd_gpus()] == ["3"]


def test_a_card_that_the_kernel_hides_has_no_number(amd, monkeypatch):
    amd(None, (0, 110000, 24), (0, 110001, 16))
    read = gpus.Path.read_text

    def refuse(path, *arguments):
        if path.parent.name == "1":
            raise PermissionError(1, "not permitted")
        return read(path, *arguments)

    monkeypatch.setattr(gpus.Path, "read_text", refuse)
    assert gpus.amd_gpus() == [Gpu("0", "AMD gfx1101", 16.0)]


def test_an_amd_card_is_leased_by_its_own_id_and_is_cuda_to_torch(amd, monkeypatch, configure):
    amd(None, (0xABC, 110000, 24))
    with lease("rocm", 1, never) as leased:
        assert leased.environment == {"ROCR_VISIBLE_DEVICES": "GPU-0000000000000abc"}
        with pytest.raises(AssertionError, match="had to wait"), lease("rocm", 1, never):
            pass
    assert device_of(configure("task=gpu", "task.device=rocm").task) == "cuda"
    monkeypatch.setattr(device, "KFD", device.KFD / "nothing")
    with pytest.raises(UserError, match="cannot be opened"):
        available("rocm", 1)


def test_where_a_device_is_not_there_the_one_that_is_is_named(amd, nvidia, monkeypatch):
    monkeypatch.setattr(gpus, "KFD_NODES", gpus.Path("/nothing"))
    monkeypatch.setattr(gpus.shutil, "which", lambda name: None)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(UserError, match=r"NVIDIA.*without one use task=cpu"):
        available("cuda", 1)
    with pytest.raises(UserError, match=r"AMD.*without one use task=cpu"):
        available("rocm", 1)
    with pytest.raises(UserError, match=r"no Mac.*without one use task=cpu"):
        available("mps", 1)
    amd(None, (1, 110000, 24))
    with pytest.raises(UserError, match=r"use task\.device=rocm or task=cpu"):
        available("cuda", 1)
    monkeypatch.setattr(gpus, "KFD_NODES", gpus.Path("/nothing"))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(UserError, match=r"use task\.device=mps sandbox=none or task=cpu"):
        available("cuda", 1)
    with lease("mps", 1, never) as leased:
        assert (leased.kind, leased.environment) == ("mps", {})


@pytest.mark.parametrize(
    ("kind", "files"), [("cuda", {"nvidia0", "nvidiactl", "dri"}), ("rocm", {"kfd", "dri"}), ("mps", set()), ("cpu", set())]
)
def test_a_sandbox_shows_a_gpus_own_device_files(monkeypatch, tmp_path, kind, files):
    for name in ("nvidia0", "nvidiactl", "kfd", "dri", "sda"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sandbox, "DEVICE_FILES", tmp_path)
    wrapped = Bubblewrap().wrap(["true"], tmp_path / "trial", Device(kind, kind))
    assert {path.name for path in tmp_path.iterdir() if str(path) in wrapped} == files
    assert ("/sys" in wrapped) == bool(files)
    restricted = Landlock().wrap(["true"], _made(tmp_path / "trial"), Device(kind, kind))
    assert {path.name for path in tmp_path.iterdir() if f"w{path}" in restricted} == files | {"trial"}
    assert ("r/sys" in restricted) == bool(files)


def _made(folder):
    folder.mkdir()
    return folder


# ---- the device batch


@pytest.mark.parametrize(
    ("cards", "settings", "rows"),
    [
        ([80.0], [], 128),  # never above the stock's own
        ([80.0, 24.0], [], 32),  # a trial may run on any of them
        ([80.0], ["task.vram_gb=24"], 32),
        ([8.0], ["task.vram_gb=24"], 8),
        ([None], ["task.vram_gb=24"], 32),
        ([24.0], ["task.row_gb=2"], 8),
    ],
)
def test_the_device_batch_is_the_largest_power_of_two_that_fits(configure, cards, settings, rows):
    config = configure("task=gpu", *settings)
    found = device_batch.fit(config.start_file.read_text(), config.task, [Gpu("GPU-1", "", memory) for memory in cards])
    assert found is not None and found.rows == rows


@pytest.mark.parametrize(
    "settings",
    [["task.row_gb=null"], ["+task.constants.DEVICE_BATCH_SIZE=64"], ["task.device=cpu"]],
)
def test_what_the_user_sets_is_not_fitted(configure, nvidia, settings):
    nvidia(TWO_CARDS)
    stock, batch = fitted_stock(configure("task=gpu", *settings))
    assert batch is None
    assert source.constants(stock)["DEVICE_BATCH_SIZE"] == (64 if "64" in settings[0] else 128)


def test_nothing_else_of_the_stock_changes_and_it_is_fitted_once(configure, nvidia, tmp_path):
    config = configure("task=gpu")
    nvidia("")
    unfitted, _ = fitted_stock(config)
    nvidia(f"{SMALL}, 12288, NVIDIA GeForce RTX 3060\n")
    stock, batch = fitted_stock(config)
    assert str(batch) == "DEVICE_BATCH_SIZE=16, fitted to 12 GB of GPU memory"
    assert source.change(unfitted, stock).constants == {"DEVICE_BATCH_SIZE": (128, 16)}
    (tmp_path / "winner.py").write_text(stock)
    nvidia(f"{SMALL}, 8192, NVIDIA GeForce RTX 3050\n")
    assert fitted_stock(configure("task=gpu", f"start={tmp_path / 'winner.py'}")) == (stock, None)
    nvidia(TWO_CARDS.partition("\n")[0] + "\n")
    assert fitted_stock(config)[0] == unfitted


@pytest.mark.parametrize(
    ("card", "settings", "said"),
    [
        (Gpu("GPU-1", "", 4.2), [], "not one row fits into 4.2 GB.*CUDA_VISIBLE_DEVICES"),
        (Gpu("GPU-1", "", 80.0), ["task.vram_gb=3"], "not one row fits into 3.0 GB"),
        (Gpu("MIG-1", "a slice", None), [], r"how much memory MIG-1 \(a slice\) has.*task.vram_gb="),
        (Gpu("0", "", 80.0), ["task.device=mps"], r"\+task.constants.DEVICE_BATCH_SIZE=4"),
    ],
)
def test_where_no_batch_can_be_chosen_it_is_said_with_a_remedy(configure, card, settings, said):
    config = configure("task=gpu", *settings)
    with pytest.raises(UserError, match=re.compile(said, re.DOTALL)) as refused:
        device_batch.fit(config.start_file.read_text(), config.task, [card])
    assert str(refused.value).count("\n") <= 1


def test_a_study_says_what_it_was_fitted_to_and_why_it_does_not_go_on_elsewhere(configure, nvidia, tmp_path):
    config = configure("task=smoke", "task.device=cuda", "task.row_gb=0.35", "~task.constants.DEVICE_BATCH_SIZE")
    prepared = prepare_data(config, lambda text: None)
    with Journal(tmp_path / "study", print) as journal:

        def begin():
            stock, batch = fitted_stock(config)
            return open_study(config, stock, journal, prepared, batch=batch)

        nvidia(f"{SMALL}, 24564, NVIDIA GeForce RTX 4090\n")
        header = begin()
        assert "\nDEVICE_BATCH_SIZE=32, fitted to 24 GB of GPU memory\n" in opening(config, tmp_path, header)
        nvidia(f"{SMALL}, 23034, NVIDIA L4\n")  # the same batch
        assert begin() == header
        nvidia(TWO_CARDS.partition("\n")[0] + "\n")
        with pytest.raises(UserError) as refused:
            begin()
    assert "began with DEVICE_BATCH_SIZE=32, fitted to 24 GB of GPU memory, and now it is DEVICE_BATCH_SIZE=128" in str(
        refused.value
    )


def test_tuning_on_a_small_card_needs_another_space_and_says_so(configure, nvidia, tmp_path):
    nvidia(f"{SMALL}, 8192, NVIDIA GeForce RTX 3050\n")
    config = configure("task=gpu", "strategy=optuna")
    with pytest.raises(UserError, match=r"space.DEVICE_BATCH_SIZE: does not hold the stock's own value 8"):
        make_strategy(config, fitted_stock(config)[0], None, tmp_path)
    for change in ("~space.DEVICE_BATCH_SIZE", "space.DEVICE_BATCH_SIZE.low=2"):
        config = configure("task=gpu", "strategy=optuna", change)
        assert make_strategy(config, fitted_stock(config)[0], None, tmp_path).stock == fitted_stock(config)[0]


def test_the_documents_table_of_batches_is_what_the_rule_gives(configure):
    task = configure("task=gpu").task
    rows = re.findall(r"^\| (\d+) GB \| (\d+) \|", (ROOT / ".github" / "docs" / "hardware.md").read_text(), re.MULTILINE)
    assert [int(memory) for memory, _ in rows] == [8, 12, 16, 24, 32, 48, 80]
    for memory, batch in rows:
        assert min(128, device_batch.rows_that_fit(float(memory), task.row_gb)) == int(batch)


# ---- what runs on the device


SMALL_STOCK = {"DEPTH": 2, "ASPECT_RATIO": 16, "HEAD_DIM": 16}


class Settings:
    """What a Trainer takes of a run."""

    device, vocab_size, sequence_length = torch.device("cpu"), 64, 16


def trained(tmp_path, batch: int) -> tuple[torch.nn.Module, torch.Tensor]:
    text = source.set_constants((ROOT / "train.py").read_text(), {**SMALL_STOCK, "DEVICE_BATCH_SIZE": batch})
    (tmp_path / "train.py").write_text(text)
    program = runpy.run_path(str(tmp_path / "train.py"))
    torch.manual_seed(0)
    trainer = program["Trainer"](Settings())
    tokens = torch.randint(64, (8, 17), generator=torch.Generator().manual_seed(1))
    loss = trainer.step(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), 0.0)
    return trainer, loss


def test_a_smaller_device_batch_makes_the_same_step(tmp_path):
    whole, parts = trained(tmp_path, 8), trained(tmp_path, 2)
    assert whole[1].item() == pytest.approx(parts[1].item(), rel=1e-6)
    gradients = [trainer.adamw.state[trainer.model.head.weight]["exp_avg"] for trainer, _ in (whole, parts)]
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-7)


class Dtypes(TorchDispatchMode):
    """Notes the types of all tensors that any operation takes or makes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        leaves = torch.utils._pytree.tree_leaves((args, kwargs, result))
        self.seen |= {leaf.dtype for leaf in leaves if isinstance(leaf, torch.Tensor)}
        return result


def test_training_and_scoring_use_no_type_that_apples_gpus_lack(tmp_path):
    request = {"batch_rows": 2, "device": "cpu", "vocab_size": 64}
    rows = np.random.default_rng(0).integers(64, size=(4, 17)).astype(np.uint16)
    with Dtypes() as mode:
        trainer, _ = trained(tmp_path, 2)
        with torch.inference_mode():
            scoring.claim(trainer.model, rows, request)
            scoring.answer(trainer.model, rows[:, :-1], np.arange(4), request)
    assert torch.float32 in mode.seen
    assert not mode.seen & {torch.float64, torch.uint16, torch.complex128}


def test_apples_gpu_is_asked_for_without_a_sandbox_and_with_a_batch(configure, monkeypatch):
    monkeypatch.setattr(device, "_is_apple", lambda: True)
    settings = ("task=gpu", "task.device=mps", "sandbox=none")
    with pytest.raises(UserError, match=r"choose it, such as \+task.constants.DEVICE_BATCH_SIZE=4"):
        check(configure(*settings))
    config = configure(*settings, "+task.constants.DEVICE_BATCH_SIZE=4")
    check(config)
    assert isinstance(sandbox.choose(config.sandbox), Unprotected)
    assert device_of(config.task) == "mps" and budget_in_words(config.task).startswith("300 seconds")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("MPS backend out of memory (MPS allocated: 12.00 GB). Tried to allocate"), "out_of_memory"),
        (torch.OutOfMemoryError("HIP out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("shapes do not match"), "crashed"),
    ],
)
def test_out_of_memory_is_known_by_each_devices_words(error, kind):
    assert failure_kind(error) == kind
