"""Checks that train.py can be trained at all: builds its model, and takes one step on made-up tokens on the CPU.

    python check.py        ends with "fine", or with the traceback

It says nothing about val_bpb. The harness trains on real text, on the task's own device, compiled if the program asks
for that.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from search import task

MOST_ROWS = 2  # of a batch, which may be a thousand times as large on a GPU


class OneStep:
    """Replaces what `task.join()` returns: the same calls, and no text."""

    def __init__(self, sequence_length: int, vocab_size: int, threads: int) -> None:
        self.device = torch.device("cpu")
        self.sequence_length, self.vocab_size = sequence_length, vocab_size
        self.seed, self.progress = 0, 0.0
        torch.set_num_threads(threads)
        torch.manual_seed(0)

    def start(self, build: Callable[[], Any], rows: int) -> Any:
        return build()

    def batches(self, rows: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        tokens = torch.randint(self.vocab_size, (min(rows, MOST_ROWS), self.sequence_length + 1))
        yield tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        self.progress = 1.0

    def report(self, loss: torch.Tensor) -> None:
        value = float(loss)
        require(math.isfinite(value), f"the loss of the first step is {value}")
        print(f"loss of the first step: {value:.3f} nats per token")

    def describe(self, **facts: object) -> None:
        print(f"describes itself: {facts}")

    def submit(self, model: torch.nn.Module) -> None:
        """The weights must fit a model of `build_model`, and that model must give logits for every token."""
        import train

        weights = {name.removeprefix("_orig_mod."): value for name, value in model.state_dict().items()}
        fresh = train.build_model(self.vocab_size, self.sequence_length)
        fresh.load_state_dict(weights)
        tokens = torch.randint(self.vocab_size, (1, self.sequence_length))
        with torch.inference_mode():
            logits = fresh(tokens)
        expected = (1, self.sequence_length, self.vocab_size)
        require(tuple(logits.shape) == expected, f"forward gives logits of shape {tuple(logits.shape)}, not {expected}")
        require(bool(torch.isfinite(logits).all()), "forward gives logits that are not finite numbers")


def require(condition: bool, otherwise: str) -> None:
    """Raises ValueError, in those words, unless the condition holds."""
    if not condition:
        raise ValueError(otherwise)


if __name__ == "__main__":
    begun = time.monotonic()
    run = OneStep(**json.loads(Path(__file__).with_name("task.json").read_text(encoding="utf-8")))
    task.join = lambda: run  # type: ignore[assignment, return-value]
    import train

    train.main()
    parameters = sum(weight.numel() for weight in train.build_model(run.vocab_size, run.sequence_length).parameters())
    print(f"fine: {parameters:,} parameters, {time.monotonic() - begun:.1f} s")
