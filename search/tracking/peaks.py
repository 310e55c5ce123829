"""Model FLOPs utilisation: which share of its GPU's peak a training used, by what the program says a token costs.

The cost of a token comes from the program itself, so the share is for information, and no decision may use it.
"""

from __future__ import annotations

import re

from search.study.trial import Outcome

COST = "flops_per_token"  # what a program calls it where it describes itself

# Dense bfloat16 FLOP/s with float32 accumulation, from the makers' data sheets (and, for GeForce, the white papers of the
# architectures); where they print the figure with sparsity, half of it. By the whole name that the driver gives, without the
# maker's: variants of one name differ by a third (H100), and laptops' GPUs share desktop names. The V100 and T4 have no
# bfloat16: float16.
PEAKS: dict[str, float] = {
    r"GB200": 2500e12,
    r"B200": 2250e12,
    r"H200|H100 \d+GB HBM3|GH200 \w+( \w+)?": 989.5e12,
    r"H200 NVL|H100 NVL": 835.5e12,
    r"H100 PCIe": 756.5e12,
    r"A100-(SXM4|PCIE)-\d+GB|A100 80GB PCIe": 312e12,
    r"A30": 165e12,
    r"A40": 149.7e12,
    r"A10": 125e12,
    r"A10G": 70e12,
    r"L4": 121e12,
    r"L40": 181.05e12,
    r"L40S": 362.05e12,
    r"Tesla V100-SXM2-\d+GB": 125e12,
    r"Tesla V100-PCIE-\d+GB": 112e12,
    r"Tesla T4": 65e12,
    r"RTX A6000": 154.8e12,
    r"RTX 6000 Ada Generation": 364.2e12,
    r"GeForce RTX 3090": 71e12,
    r"GeForce RTX 3090 Ti": 80e12,
    r"GeForce RTX 4080": 97.5e12,
    r"GeForce RTX 4080 SUPER": 104.4e12,
    r"GeForce RTX 4090": 165.2e12,
    r"GeForce RTX 5080": 112.6e12,
    r"GeForce RTX 5090": 209.5e12,
}


def peak_of(model: str) -> float | None:
    """Peak FLOP/s of a GPU by its full name; None where none is on record."""
    name = model.removeprefix("NVIDIA ")
    return next((peak for pattern, peak in PEAKS.items() if re.fullmatch(pattern, name)), None)


def utilisation(outcome: Outcome) -> float | None:
    """Model FLOPs utilisation, 1 for the peak; None where the cost of a token or the peak is not known, or nothing was
    trained."""
    cost, peak = outcome.described.get(COST), peak_of(_model(outcome))
    if not isinstance(cost, int | float) or peak is None or outcome.train_seconds <= 0:
        return None
    return cost * outcome.tokens / outcome.train_seconds / peak


def why_unknown(outcome: Outcome) -> str:
    """Why there is no utilisation although the program says what a token costs; empty where there is one, or it does not."""
    if COST not in outcome.described or peak_of(_model(outcome)) is not None:
        return ""
    return f"unknown: no peak on record for {_model(outcome)}"


def _model(outcome: Outcome) -> str:
    """The device's model: its name without the last word, which is the unit's own id."""
    return outcome.device.rpartition(" ")[0]
