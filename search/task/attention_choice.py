"""Chooses the fastest implementation of attention that works on a device and gives the right results.

    attend = choose(device, sequence_length, windows, head_dim)

Each implementation is first compared, forward and backward, with a masked float32 reference on the device itself: a
kernel that ignored the window would train a different model than its source says. (Except on CUDA there is only one,
which the tests compare with the same reference.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from search.task.attention import Attend, AttentionUnavailable, Flash3, Flex, Masked, Varlen, reference

# cuDNN's kernels are 1.7 to 2.3 times faster than FlashAttention-2 at training shapes on Hopper (huggingface/transformers
# pull request 48163).
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
CUDNN_CAPABILITIES = (9, 10)  # Hopper, Blackwell of data centres
# Root mean square of the difference over that of the reference. bfloat16 rounds by 2^-9 = 0.002, a few times in a row; a
# window that is off by one place differs by 0.1 at the size of the check (measured).
MOST_DIFFERENCE = 0.02
CHECKED_LENGTH = 256  # places of the check's rows

_entered: list[ExitStack] = []  # contexts that last as long as the process

WAYS: tuple[type[Masked], ...] = (Flash3, Varlen, Flex, Masked)


@functools.cache
def choose(
    device: torch.device, sequence_length: int, windows: tuple[int, ...], head_dim: int, compiled: bool = False
) -> Attend:
    """The fastest way that works on this device; prints why faster ones do not.

    `windows`: all that will be asked for. `compiled`: whether the caller compiles what it calls. Raises AttentionUnavailable
    where none works.
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
            except AttentionUnavailable as error:
                way.withdraw()
                print(f"attention: not by {way.name}: {error}", flush=True)
    raise AttentionUnavailable(f"no way of attention works on {device} with {head_dim} channels per head")


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
    except AttentionUnavailable as error:
        order.close()
        torch.backends.cuda.enable_cudnn_sdp(False)  # from 2.12 on it is first by default
        print(f"attention: not by cuDNN: {error}", flush=True)
    else:
        _entered.append(order)  # never left


def check(way: type[Masked], device: torch.device, head_dim: int, windows: tuple[int, ...] = (40, CHECKED_LENGTH)) -> None:
    """Compare an implementation with the reference, at a small size; a window of CHECKED_LENGTH means no window. Raises
    AttentionUnavailable."""
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
                raise AttentionUnavailable(
                    f"it is off by {difference:.3f} of the true {name}, window {window} of {CHECKED_LENGTH}"
                )


@contextmanager
def refusals() -> Iterator[None]:
    """The errors by which a kernel, its package or a compiler refuse a device, a type or a width of heads, as
    AttentionUnavailable. Running out of memory does not count as a refusal."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ImportError, ValueError, TypeError, AssertionError) as error:
        raise AttentionUnavailable(next(iter(str(error).splitlines()), type(error).__name__)) from error


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
