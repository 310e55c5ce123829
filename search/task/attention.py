"""Causal attention over a sliding window, by the fastest way that works on a device and provably means the same.

    attend = choose(device, sequence_length, windows)
    mixed = attend(query, key, value, window)       # [B, T, H, D] each; position t sees t - window + 1 to t

Ways differ in speed only: before one is taken it is held, forwards and backwards, against a masked float32 reference on
the device itself. A kernel that ignored the window would train another model than its source says. (Elsewhere than on CUDA
there is one way, which the tests hold against the same reference.)
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import torch
import torch.nn.attention as torch_attention
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

# cuDNN's kernels are 1.7 to 2.3 times faster than FlashAttention-2 at training shapes on Hopper (huggingface/transformers
# pull request 48163).
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
CUDNN_CAPABILITIES = (9, 10)  # Hopper, Blackwell of data centres
FLASH3_MODULE = "flash_attn_interface"  # of the FlashAttention-3 package
# Root mean square of the difference over that of the reference. bfloat16 rounds by 2^-9 = 0.002, a few times in a row; a
# window that is off by one place differs by 0.1 at the size of the check (measured).
MOST_DIFFERENCE = 0.02
CHECKED_LENGTH = 256  # places of the check's rows

_entered: list[ExitStack] = []  # contexts that last as long as the process


class Unusable(Exception):
    """This way of attention does not work here. The message says why."""


class Attend(Protocol):
    name: str

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor: ...


class Masked:
    """PyTorch's own attention; a dense mask for windows. Works everywhere, and computes what the mask then hides."""

    name = "sdpa, masked windows"

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        """`windows`: all that will be asked for. Raises Unusable, and so do the other ways."""
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
        """Undo what making one has changed for the whole process."""


class Varlen(Masked):
    """Windows by the FlashAttention-2 that PyTorch carries since 2.11 (`varlen_attn`): what a window hides costs nothing."""

    name = "varlen windows, sdpa"

    def __init__(self, device: torch.device, sequence_length: int, windows: tuple[int, ...]) -> None:
        super().__init__(device, sequence_length, ())
        if importlib.util.find_spec("torch.nn.attention.varlen") is None:
            raise Unusable("needs PyTorch 2.11")
        from torch.nn.attention.varlen import varlen_attn

        if "window_size" not in inspect.signature(varlen_attn).parameters:
            raise Unusable("this PyTorch's varlen_attn knows no windows: 2.11 does")
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
            raise Unusable("needs the package flash-attn-3 and a Hopper GPU")
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


WAYS: tuple[type[Masked], ...] = (Flash3, Varlen, Flex, Masked)


@functools.cache
def choose(
    device: torch.device, sequence_length: int, windows: tuple[int, ...], head_dim: int, compiled: bool = False
) -> Attend:
    """The fastest way that works on this device; prints why faster ones do not.

    `windows`: all that will be asked for. `compiled`: whether the caller compiles what it calls. Raises Unusable where none
    works.
    """
    ways = candidates(device, compiled)
    with torch.inference_mode(False):
        if prefers_cudnn(device):
            use_cudnn(device, head_dim)
        for way in ways:
            try:
                if len(ways) > 1:
                    check(way, device, head_dim)
                with refusals():
                    return way(device, sequence_length, windows)
            except Unusable as error:
                way.withdraw()
                print(f"attention: not by {way.name}: {error}", flush=True)
    raise Unusable(f"no way of attention works on {device} with {head_dim} channels per head")


def candidates(device: torch.device, compiled: bool) -> tuple[type[Masked], ...]:
    """The ways that may work on a device, the fastest first."""
    if device.type == "cuda":
        return WAYS if compiled else tuple(way for way in WAYS if way is not Flex)
    return (Masked,)


def use_cudnn(device: torch.device, head_dim: int) -> None:
    """Have PyTorch's attention try cuDNN first, in this process and from now on, unless it fails or means something else.

    For the whole process, since inside a compiled graph PyTorch before 2.8 drops the order, and later ones then cannot keep
    what autograd compiled (read in 2.6 to 2.13; bypass seen in 2.13).
    """
    if _entered:
        return
    order = ExitStack()
    order.enter_context(sdpa_kernel(CUDNN_FIRST, set_priority=True))
    try:
        check(Masked, device, head_dim, windows=(CHECKED_LENGTH,))
    except Unusable as error:
        order.close()
        torch.backends.cuda.enable_cudnn_sdp(False)  # from 2.12 on it is first by default
        print(f"attention: not by cuDNN: {error}", flush=True)
    else:
        _entered.append(order)  # never left


def check(way: type[Masked], device: torch.device, head_dim: int, windows: tuple[int, ...] = (40, CHECKED_LENGTH)) -> None:
    """Hold a way against the reference, at a small size; a window of CHECKED_LENGTH is none. Raises Unusable."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    generator = torch.Generator().manual_seed(0)
    shape = (2, CHECKED_LENGTH, 2, head_dim)
    query, key, value, gradient = (torch.randn(shape, generator=generator).to(device, dtype) for _ in range(4))
    with refusals():
        attend = way(device, CHECKED_LENGTH, windows)
    for window in windows:
        with refusals():
            run = torch.compile(attend) if way is Flex else attend
            ours = _with_gradients(run, query, key, value, gradient, window)
        exact = _with_gradients(reference, query.float(), key.float(), value.float(), gradient.float(), window)
        for name, mine, right in zip(("output", "query", "key", "value"), ours, exact, strict=True):
            difference = float((mine.float() - right).square().mean().sqrt() / right.square().mean().sqrt())
            if not difference <= MOST_DIFFERENCE:
                raise Unusable(f"it is off by {difference:.3f} of the true {name}, window {window} of {CHECKED_LENGTH}")


@contextmanager
def refusals() -> Iterator[None]:
    """The errors by which a kernel, its package or a compiler refuse a device, a type or a width of heads, as Unusable. That
    memory has run out is no refusal."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ImportError, ValueError, TypeError, AssertionError) as error:
        raise Unusable(next(iter(str(error).splitlines()), type(error).__name__)) from error


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


def _with_gradients(
    attend: Callable[[Tensor, Tensor, Tensor, int], Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    gradient: Tensor,
    window: int,
) -> list[Tensor]:
    """The output, and the gradients of query, key and value."""
    inputs = query, key, value = [tensor.detach().requires_grad_() for tensor in (query, key, value)]
    with torch.enable_grad():
        output = attend(query, key, value, window)
        return [output.detach(), *torch.autograd.grad(output, inputs, gradient)]


def prefers_cudnn(device: torch.device) -> bool:
    """Whether it is the faster one there."""
    if device.type != "cuda" or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(device)[0] in CUDNN_CAPABILITIES
