"""A training run in this process: the loss that a trial gets, for a fraction of its cost, since no process starts. Only for
programs of our own: nothing is confined, limited or audited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search.config.schema import TaskConfig
from search.data.tokens import Prepared
from search.task import run as task_run
from search.task.loader import PACKINGS, scoring_rows, training_rows

T = TypeVar("T")


class Direct:
    """As much of `search.task.run.Run` as the stock uses, under a budget of tokens."""

    def __init__(self, task: TaskConfig, prepared: Prepared, seed: int) -> None:
        self.device = torch.device("cpu")
        self.vocab_size, self.sequence_length = task.vocab_size, task.sequence_length
        self.seed, self.progress = seed, 0.0
        self.model: nn.Module | None = None
        self._budget = task.budget.tokens or 0
        packer = PACKINGS[task.packing](task.sequence_length, prepared.tokenizer().bos)
        self._rows = training_rows(prepared.documents("train"), packer, seed)

    def start(self, build: Callable[[], T], rows: int) -> T:
        """Without the warm-up, which leaves nothing behind."""
        torch.manual_seed(self.seed)
        return build()

    def batches(self, rows: int) -> Iterator[tuple[Tensor, Tensor]]:
        spent = 0
        while spent < self._budget:
            self.progress = spent / self._budget
            batch = np.stack([next(self._rows) for _ in range(rows)])[: (self._budget - spent) // self.sequence_length]
            tokens = torch.from_numpy(batch.astype(np.int64))
            yield tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
            spent += len(batch) * self.sequence_length

    def report(self, loss: Tensor) -> None:
        pass

    def describe(self, **facts: object) -> None:
        pass

    def submit(self, model: nn.Module) -> None:
        self.model = model


def nats(program: str, task: TaskConfig, prepared: Prepared, seed: int) -> float:
    """The validation loss of a program, in nats per token of `task.scoring_rows` rows."""
    torch.set_num_threads(task.threads)
    run, module = Direct(task, prepared, seed), dict[str, Any](__name__="program")
    joined, task_run.join = task_run.join, lambda: run  # type: ignore[assignment, return-value]
    try:
        exec(compile(program, "program", "exec"), module)
        module["main"]()
    finally:
        task_run.join = joined
    assert run.model is not None
    packer = PACKINGS[task.packing](task.sequence_length, prepared.tokenizer().bos)
    rows = torch.from_numpy(scoring_rows(prepared.documents("validation"), packer, task.scoring_rows).astype(np.int64))
    with torch.inference_mode():
        losses = [
            F.cross_entropy(run.model.eval()(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten(), reduction="none")
            for part in rows.split(task.scoring_batch)
        ]
    return float(torch.cat(losses).double().mean())
