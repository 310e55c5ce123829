"""The frozen part that training code may import: `from search import task`, then `run = task.join()`.

Nothing here imports anything else of the project: it is also what untrusted training code sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from search.task.attention import Attend as Attend
    from search.task.run import Run as Run

__all__ = ["choose_attention", "join"]


def join() -> Run:
    """Join the trial this process was started for, and return its settings and services.

    Called by hand (`python train.py`), it becomes a harness that runs one trial of that file, and does not return.
    """
    from search.task import run

    return run.join()


def choose_attention(
    device: torch.device, sequence_length: int, windows: tuple[int, ...], head_dim: int, compiled: bool = False
) -> Attend:
    """The fastest causal attention on a device, called as `attend(query, key, value, window)` with [B, T, H, D] tensors.

    See `search.task.attention_choice.choose`.
    """
    from search.task import attention_choice

    return attention_choice.choose(device, sequence_length, windows, head_dim, compiled)
