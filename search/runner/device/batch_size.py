"""Fits the stock's DEVICE_BATCH_SIZE to the GPU's memory, once per study.

The batch of an optimizer step (TOTAL_BATCH_SIZE) stays what it is: train.py accumulates it from more, smaller pieces. So the
same program trains on a smaller card, more slowly.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.config.messages import UserError
from search.config.schema import TaskConfig
from search.runner.device.gpus import VARIABLES, Gpu
from search.study import source
from search.study.identity import BATCH_CONSTANT, DeviceBatch

# Not for rows: weights, gradients and optimizer of the stock (50 M parameters, below 2 GB), CUDA's own (about 1), a desktop
# (about 1). Assumed, not measured.
RESERVED_GB = 4.0


def fit(text: str, task: TaskConfig, gpus: Sequence[Gpu]) -> DeviceBatch | None:
    """The rows for a start file, at most those that it sets itself. They fit the smallest of `gpus`, since trials run
    on any.

    None if there is nothing to fit: on the CPU, where the task says nothing of rows or sets them itself, where the text
    has no such constant or was fitted before, and without a GPU. Raises UserError if no row fits, or none can be chosen;
    SyntaxError.
    """
    if task.row_gb is None or task.device == "cpu" or BATCH_CONSTANT in task.constants or source.is_fitted(text):
        return None
    own = source.constants(text).get(BATCH_CONSTANT)
    if not isinstance(own, int):
        return None
    if task.device == "mps":  # memory is shared with the machine, and a row takes more: float32, not compiled
        raise UserError(
            f"task.device=mps: {BATCH_CONSTANT} cannot be fitted to memory that is shared with the machine; "
            f"choose it, such as +task.constants.{BATCH_CONSTANT}=4 (expect 1.5 GB per row)"
        )
    if not gpus:
        return None
    memory = smallest_memory_gb(gpus, task)
    rows = rows_that_fit(memory, task.row_gb)
    if rows == 0:
        capped = task.vram_gb is not None and memory == task.vram_gb
        remedy = "Raise task.vram_gb" if capped else f"Hide small GPUs with {VARIABLES[task.device]}"
        raise UserError(
            f"task.row_gb={task.row_gb:g}: not even one row fits into {memory:.1f} GB of GPU memory, of which "
            f"{RESERVED_GB:g} are reserved for weights and the like.\n{remedy}, or use task=cpu"
        )
    return DeviceBatch(min(own, rows), memory)


def smallest_memory_gb(gpus: Sequence[Gpu], task: TaskConfig) -> float:
    """The memory that every GPU has and a candidate may use. Raises UserError if it is not known."""
    known = [gpu.memory_gb for gpu in gpus if gpu.memory_gb is not None]
    if task.vram_gb is not None:
        return min([*known, task.vram_gb])
    unknown = next((gpu for gpu in gpus if gpu.memory_gb is None), None)
    if unknown is not None:
        say = "Give it as task.vram_gb=, or choose" if task.device == "cuda" else "Choose"
        raise UserError(
            f"task.device={task.device}: the memory of {unknown.id} ({unknown.model}) is not known, so "
            f"{BATCH_CONSTANT} cannot be fitted.\n{say} +task.constants.{BATCH_CONSTANT}="
        )
    return min(known)


def rows_that_fit(memory_gb: float, row_gb: float) -> int:
    """The largest power of two; 0 if not even one row fits."""
    rows = int((memory_gb - RESERVED_GB) / row_gb)
    return 1 << rows.bit_length() - 1 if rows > 0 else 0
