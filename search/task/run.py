"""The parts of the harness that a training process uses: settings, warm-up, real tokens, the clock, reports, and the
hand-in. The harness trusts nothing that is said here, except that weights are on disk; it keeps the time itself.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from search.task import memory
from search.task.loader import PACKINGS, Documents, prefetched, training_rows
from search.task.pace import pace_for
from search.task.protocol import FACT_NAME, MOST_FACTS, WEIGHTS, Channel

WARM_UP_STEPS = {"cpu": 1}  # on synthetic tokens; elsewhere a program is compiled, and an allocator settles
MOST_WARM_UP_STEPS = 3
REPORT_SECONDS = 0.2  # between reports of the loss
BATCHES_AHEAD = 2  # made on another thread while an accelerator works on one

Tokens = torch.Tensor


class Trainer(Protocol):
    def step(self, tokens: Tokens, targets: Tokens, progress: float) -> torch.Tensor: ...


T = TypeVar("T", bound=Trainer)


class Run:
    """One trial, seen from inside.

    `device`: where to train. `vocab_size`, `sequence_length`: what the model must take. `seed`: the training seed, which
    the harness has already given to torch. `progress`: share of the budget that is spent, 0 to 1.
    """

    def __init__(self, channel: Channel, settings: dict[str, Any]) -> None:
        self.device = torch.device(settings["device"])
        self.vocab_size: int = settings["vocab_size"]
        self.sequence_length: int = settings["sequence_length"]
        self.seed: int = settings["seed"]
        self.progress = 0.0
        self._channel = channel
        self._budget_seconds: float | None = settings["budget_seconds"]
        self._budget_tokens: int | None = settings["budget_tokens"]
        self._overrun_seconds: float = settings["overrun_seconds"]
        self._packer = PACKINGS[settings["packing"]](self.sequence_length, settings["bos"])
        self._dropped_share = 0.0
        self._pace = pace_for(self.device)
        self._tokens = 0
        self._loss: torch.Tensor | None = None
        self._reported = 0.0
        self._built = False  # or too late to say so
        self._described: set[str] = set()

    def start(self, build: Callable[[], T], rows: int) -> T:
        """Build a trainer (with a `step(tokens, targets, progress) -> loss`), warm it up for up to three steps on
        `rows` rows of synthetic tokens (this compiles), throw it away, and build it anew. Nothing that was learned
        survives, since untimed training would be free. Start-up is not part of the budget.
        """
        generator = torch.Generator().manual_seed(0)
        trainer = build()
        self._synchronize()
        if not self._built:
            self._channel.send({"event": "built"})
            self._built = True
        steps = WARM_UP_STEPS.get(self.device.type, MOST_WARM_UP_STEPS)
        for step in range(steps):
            synthetic = torch.randint(self.vocab_size, (rows, self.sequence_length + 1), generator=generator)
            synthetic = synthetic.to(self.device)
            trainer.step(synthetic[:, :-1].contiguous(), synthetic[:, 1:].contiguous(), step / steps)
        self._synchronize()
        del trainer
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif self.device.type == "mps":
            torch.mps.empty_cache()
        _seed(self.seed)
        return build()

    def batches(self, rows: int) -> Iterator[tuple[Tokens, Tokens]]:
        """Batches of real tokens until the budget is spent: tokens and targets, [rows, sequence_length] each. Called once.

        The clock starts here, when the harness hands over the tokens, and runs between batches. On an accelerator the next
        batches are made on another thread, and a step may be queued while the one before it is still being worked on.
        """
        self._synchronize()
        gc.collect()
        # What is here by now stays, and is not looked at again: a full collection took 120 ms, and takes a
        # microsecond (measured: 2 cores, CPython 3.11).
        gc.freeze()
        self._built = True
        self._channel.send({"event": "ready"})
        go, files = self._channel.receive()
        begun = time.monotonic()
        self._budget_seconds = go["budget_seconds"]  # what a long start-up has left of it
        tokens, offsets = (os.fdopen(file, "rb") for file in files)
        documents = Documents(np.memmap(tokens, np.uint16, "r"), np.fromfile(offsets, np.int64))
        source = self._host_batches(documents, rows)
        if self.device.type != "cpu":
            source = prefetched(source, BATCHES_AHEAD)
        while not self._spent(time.monotonic() - begun):
            batch, self._dropped_share = next(source)
            moved = batch[: self._affordable(rows)].to(self.device, non_blocking=self.device.type == "cuda")
            if self._tokens == 0:
                self._channel.send({"event": "data"})
            yield moved[:, :-1].contiguous(), moved[:, 1:].contiguous()
            self._tokens += len(moved) * self.sequence_length
            self._pace.queued(self._loss)
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._report()
        self._pace.finish()
        self._report()

    def report(self, loss: torch.Tensor) -> None:
        """Tell the harness the training loss of this step, in nats per token. On CUDA this does not wait for the device: the
        value is read when the step is done."""
        self._loss = torch.as_tensor(loss).detach().to("cpu", non_blocking=self.device.type == "cuda")

    def describe(self, **facts: object) -> None:
        """Record short facts about the program for people: what it uses, what it counts. Finite numbers stay numbers,
        all else becomes text. Raises ValueError for more than 16 names in all, or one that is not in lower case."""
        self._described |= facts.keys()
        wrong = [name for name in facts if not FACT_NAME.fullmatch(name)]
        if wrong or len(self._described) > MOST_FACTS:
            raise ValueError(
                f"describe takes at most {MOST_FACTS} names like flops_per_token, got {wrong or len(self._described)}"
            )
        numbers = {name: value for name, value in facts.items() if _is_number(value)}
        words = {name: str(value) for name, value in facts.items() if name not in numbers}
        self._channel.send({"event": "described", "facts": {**words, **numbers}})

    def submit(self, model: torch.nn.Module) -> None:
        """Hand in the trained weights, or others that fit `build_model`, such as an average. They are scored by a process
        that never ran the training; this one ends."""
        self._synchronize()
        # A compiled module calls its parameters otherwise, and so does each compiled part; scored models are not compiled.
        weights = {name.replace("_orig_mod.", ""): value for name, value in model.state_dict().items()}
        torch.save(weights, WEIGHTS)
        self._channel.send({"event": "submitted", "dropped_share": self._dropped_share, **self._facts()})

    def _host_batches(self, documents: Documents, rows: int) -> Iterator[tuple[Tokens, float]]:
        """Batches [rows, sequence_length + 1] without end, and the share of the text dropped so far."""
        source = training_rows(documents, self._packer, self.seed)
        while True:
            batch = torch.from_numpy(np.stack([next(source) for _ in range(rows)]).astype(np.int64))
            yield batch.pin_memory() if self.device.type == "cuda" else batch, self._packer.dropped_share

    def _affordable(self, rows: int) -> int:
        """How many of the wanted rows the budget still has."""
        if self._budget_tokens is None:
            return rows
        return max(1, min(rows, (self._budget_tokens - self._tokens) // self.sequence_length))

    def _spent(self, elapsed: float) -> bool:
        if self._budget_tokens is not None:
            self.progress = min(1.0, self._tokens / self._budget_tokens)
            return self._tokens >= self._budget_tokens
        assert self._budget_seconds is not None
        step = elapsed / self._pace.done if self._pace.done else 0.0
        begins = elapsed + self._pace.waiting * step  # when the device gets to the next step
        self.progress = min(1.0, begins / self._budget_seconds)
        # Half a step early or late: on average the budget is met exactly. But no step is begun that would end beyond half of
        # the allowance: the other half is for handing in.
        latest = self._budget_seconds + 0.5 * self._overrun_seconds
        return begins + 0.5 * step >= self._budget_seconds or begins + step > latest

    def _report(self) -> None:
        self._reported = time.monotonic()
        loss = None if self._pace.loss is None else float(self._pace.loss)
        self._channel.send({"event": "progress", "loss": loss, "progress": self.progress, **self._facts()})

    def _facts(self) -> dict[str, Any]:
        return {"steps": self._pace.done, "tokens": self._tokens, "peak_memory_mb": memory.peak_mb()}

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        elif self.device.type == "mps":
            torch.mps.synchronize()


def join() -> Run:
    """See `search.task.join`."""
    channel = Channel.inherited()
    if channel is None:
        program = str(Path(sys.argv[0]).resolve()).replace("\\", "\\\\").replace("'", "\\'")
        os.execv(sys.executable, [sys.executable, "-m", "search.once", f"start='{program}'", *sys.argv[1:]])
    if sys.platform == "linux":  # tensors of loaders' worker processes come by name: open files cannot be sent
        torch.multiprocessing.set_sharing_strategy("file_system")
    channel.send({"event": "joined"})
    settings, _ = channel.receive()
    if settings["device"] == "cpu":
        torch.set_num_threads(settings["threads"])
    memory.cap_gpu(settings["vram_gb"])
    _seed(settings["seed"])
    return Run(channel, settings)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
