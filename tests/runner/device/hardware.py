"""Stand-ins for what only machines with GPUs have, and one training step of a small stock."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from search.config.places import ROOT
from search.study import source

BIG, SMALL = "GPU-11111111-aaaa", "GPU-22222222-bbbb"
TWO_CARDS = f"{BIG}, 81559, NVIDIA H100 80GB HBM3\n{SMALL}, 24564, NVIDIA GeForce RTX 4090\n"


def put_nvidia_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, table: str) -> None:
    """A program of that name in the folder, first on the path, that prints the table; and nothing is missing to compile."""
    monkeypatch.setattr("search.runner.trial_runner.missing_compiler", lambda: None)
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{table}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


SMALL_STOCK = {"DEPTH": 2, "ASPECT_RATIO": 16, "HEAD_DIM": 16}


class Settings:
    """What a Trainer takes of a run."""

    device, vocab_size, sequence_length = torch.device("cpu"), 64, 16

    def describe(self, **facts: str | float) -> None:
        """Nobody keeps them."""


def trained(folder: Path, batch: int) -> tuple[Any, torch.Tensor]:
    """The stock's trainer after one step on 8 rows, `batch` at a time, and the loss of the step."""
    text = source.set_constants((ROOT / "train.py").read_text(), {**SMALL_STOCK, "DEVICE_BATCH_SIZE": batch})
    (folder / "train.py").write_text(text)
    program = runpy.run_path(str(folder / "train.py"))
    torch.manual_seed(0)
    trainer = program["Trainer"](Settings())
    tokens = torch.randint(64, (8, 17), generator=torch.Generator().manual_seed(1))
    loss = trainer.step(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), 0.0)
    return trainer, loss
