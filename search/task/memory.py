"""Memory as the process that uses it sees it: its peak, and a cap on the GPU's."""

from __future__ import annotations

import sys

GB = 2**30


def peak_mb() -> float:
    """The most memory (in units of 2**20 bytes) that this process has had: of the GPU where it uses CUDA, else resident.

    Imports nothing heavy: it is called where an error may be that nothing could be imported.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return float(torch.cuda.max_memory_allocated() / 2**20)
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10  # getrusage counts bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def cap_gpu(vram_gb: float | None) -> None:
    """Make PyTorch refuse to allocate more than `vram_gb` of the GPU, as a smaller card would; None for no cap.

    No wall: what runs here later can lift it. The harness watches the card's memory, too.
    """
    if vram_gb is None:
        return
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, vram_gb * GB / total))
