"""Implementations of causal attention over a sliding window, which differ only in speed.

Each is called as `attend(query, key, value, window)` with [B, T, H, D] tensors; position t sees t - window + 1 to t.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.attention as torch_attention
from torch import Tensor
from torch.nn import functional as F

FLASH3_MODULE = "flash_attn_interface"  # of the FlashAttention-3 package


class AttentionUnavailable(Exception):
    """This implementation does not work here. The message says why."""


class Attend(Protocol):
    name: str

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor: ...


class Masked:
    """PyTorch's own attention; a dense mask for windows. Works everywhere, and computes what the mask then hides."""

    name = "sdpa, masked windows"

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        """`windows`: all that will be asked for. Raises AttentionUnavailable, and so do the other ways."""
        self.masks = {window: visible(sequence_length, window, device) for window in windows if window < sequence_length}

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
        length = query.size(1)
        if window >= length:
            return self.full(query, key, value)
        mask = self.masks[window][:length, :length]
        query, key, value = heads_first(query, key, value)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)

    def full(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Without a window."""
        query, key, value = heads_first(query, key, value)
        return F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)

    @classmethod
    def withdraw(cls) -> None:
        """Undo what creating one has changed for the whole process."""


class Varlen(Masked):
    """Windows by the FlashAttention-2 that PyTorch carries since 2.11 (`varlen_attn`): what a window hides costs nothing."""

    name = "varlen windows, sdpa"

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        super().__init__(device, sequence_length, ())
        if importlib.util.find_spec("torch.nn.attention.varlen") is None:
            raise AttentionUnavailable("needs PyTorch 2.11")
        from torch.nn.attention.varlen import varlen_attn

        if "window_size" not in inspect.signature(varlen_attn).parameters:
            raise AttentionUnavailable("this PyTorch's varlen_attn knows no windows: 2.11 does")
        self.varlen_attn = varlen_attn

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
        if window >= query.size(1):
            return self.full(query, key, value)
        return self.windowed(query, key, value, (window - 1, 0))

    def windowed(self, query: Tensor, key: Tensor, value: Tensor, window: tuple[int, int]) -> Tensor:
        """`window`: how many places before and after its own a position sees; -1 for all of them."""
        rows, length = query.shape[:2]
        starts = torch.arange(0, (rows + 1) * length, length, dtype=torch.int32, device=query.device)
        packed = query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)
        mixed = self.varlen_attn(*packed, starts, starts, length, length, window_size=window)
        assert isinstance(mixed, Tensor)
        return mixed.view(query.shape)


class Flash3(Varlen):
    """FlashAttention-3, where that package is installed and the GPU is a Hopper."""

    name = "flash-attention 3"
    activated = False

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        super().__init__(device, sequence_length, windows)
        if importlib.util.find_spec(FLASH3_MODULE) is None or torch.cuda.get_device_capability(device)[0] != 9:
            raise AttentionUnavailable("needs the package flash-attn-3 and a Hopper GPU")
        Flash3.activated = True  # it changes PyTorch's own kernels, also where it then fails
        torch_attention.activate_flash_attention_impl("FA3")

    def full(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self.windowed(query, key, value, (-1, 0))

    @classmethod
    def withdraw(cls) -> None:
        if cls.activated:
            torch_attention.restore_flash_attention_impl()
            cls.activated = False


class Flex(Masked):
    """Windows by FlexAttention. Only compiled: otherwise it holds scores of T x T places for every head."""

    name = "flex windows, sdpa"

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        super().__init__(device, sequence_length, ())
        from torch.nn.attention import flex_attention

        self.attention = flex_attention.flex_attention
        size = (sequence_length, sequence_length)
        self.blocks = {
            window: flex_attention.create_block_mask(_sees(window), None, None, *size, device=device)
            for window in windows
            if window < sequence_length
        }

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
        if window >= query.size(1):
            return self.full(query, key, value)
        query, key, value = heads_first(query, key, value)
        return self.attention(query, key, value, block_mask=self.blocks[window]).transpose(1, 2)


def reference(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """Attention as it is defined, with every score in memory."""
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) * query.size(-1) ** -0.5
    hidden = ~visible(query.size(1), window, query.device)
    return torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(hidden, float("-inf")).softmax(dim=-1), value)


def visible(length: int, window: int, device: torch.device) -> Tensor:
    """[length, length] whether a position (row) sees another (column)."""
    place = torch.arange(length, device=device)
    distance = place[:, None] - place[None, :]
    return (distance >= 0) & (distance < window)


def heads_first(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[B, T, H, D] -> [B, H, T, D], as PyTorch's attention takes them."""
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


def _sees(window: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """FlexAttention's form of `visible`."""

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (query - key < window)

    return sees
