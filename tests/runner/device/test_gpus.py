"""Other hardware than one large NVIDIA card: lists of GPUs, leases, and what their processes need. Makers' programs and
kernel files are stood in for; no test here needs a GPU, and none shows that one works."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from search.config.messages import UserError
from search.console.run_study import check
from search.runner.device import gpus, leases
from search.runner.device.gpus import Gpu
from search.runner.device.leases import Device, available, lease
from search.runner.process import sandbox
from search.runner.process.sandbox import Bubblewrap, Landlock, Unprotected
from search.runner.training import device_of
from search.study.budget import budget_in_words
from search.task import scorer
from search.task.launch import failure_kind
from tests.runner.device.hardware import BIG, SMALL, TWO_CARDS, put_nvidia_smi, trained


@pytest.fixture
def nvidia(monkeypatch, tmp_path):
    return functools.partial(put_nvidia_smi, monkeypatch, tmp_path)


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
        monkeypatch.setattr(leases, "KFD", tmp_path / "nodes")

    return build


def never(holders):
    raise AssertionError("it had to wait")


# ---- lists and leases


def test_nvidias_cards_are_listed_with_their_memory_and_leased_by_their_own_id(nvidia, monkeypatch):
    nvidia(TWO_CARDS)
    assert [round(gpu.memory_gb) for gpu in gpus.nvidia_gpus()] == [80, 24]
    if not Path("/dev/nvidiactl").exists():
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
    monkeypatch.setattr(leases, "KFD", leases.KFD / "nothing")
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
    with pytest.raises(UserError, match=r"not a Mac.*without one use task=cpu"):
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
    assert ("/sys/bus/pci/devices" in wrapped) == bool(files)
    restricted = Landlock().wrap(["true"], _made(tmp_path / "trial"), Device(kind, kind))
    assert {path.name for path in tmp_path.iterdir() if f"w{path}" in restricted} == files | {"trial"}
    assert ("r/sys/bus/pci/devices" in restricted) == bool(files)


def _made(folder):
    folder.mkdir()
    return folder


# ---- what runs on the device


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
    request = {"mode": "claim", "batch_rows": 2, "device": "cpu", "vocab_size": 64, "sequence_length": 16, "rows": 4}
    rows = np.random.default_rng(0).integers(64, size=(4, 17)).astype(np.uint16)
    with Dtypes() as mode:
        trainer, _ = trained(tmp_path, 2)
        with torch.inference_mode():
            scorer.warm_up(trainer.model, request)
            list(scorer.claim(trainer.model, rows, request))
            list(scorer.answer(trainer.model, rows[:, :-1], np.arange(4), request))
    assert torch.float32 in mode.seen
    assert not mode.seen & {torch.float64, torch.uint16, torch.complex128}


def test_apples_gpu_is_asked_for_without_a_sandbox_and_with_a_batch(configure, monkeypatch):
    monkeypatch.setattr(leases, "_is_apple", lambda: True)
    settings = ("task=gpu", "task.device=mps", "sandbox=none")
    with pytest.raises(UserError, match=r"choose it, such as \+task.constants.DEVICE_BATCH_SIZE=4"):
        check(configure(*settings))
    config = configure(*settings, "+task.constants.DEVICE_BATCH_SIZE=4")
    check(config)
    assert isinstance(sandbox.choose(config.sandbox, config.task.device), Unprotected)
    assert device_of(config.task) == "mps" and budget_in_words(config.task.budget).startswith("300 seconds")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("MPS backend out of memory (MPS allocated: 12.00 GB). Tried to allocate"), "out_of_memory"),
        (torch.OutOfMemoryError("HIP out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "out_of_memory"),
        (RuntimeError("Triton Error [CUDA]: out of memory"), "out_of_memory"),
        (RuntimeError("backend='inductor' raised:\nOutOfMemoryError: CUDA out of memory."), "out_of_memory"),
        (RuntimeError("shapes do not match"), "crashed"),
    ],
)
def test_out_of_memory_is_known_by_each_devices_words(error, kind):
    assert failure_kind(error) == kind
