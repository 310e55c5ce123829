"""What a study asks of a runner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrialRequest:
    """What is to be run. `beat`: the score that would make it its study's best (None: any would).

    `is_stock`: its claims become the reference that later challenges are drawn by. `audit_anyway`: challenge it even
    where it cannot win. `logs`: where its output goes, without a suffix.
    """

    source: str
    training_seed: int
    logs: Path
    beat: float | None = None
    is_stock: bool = False
    audit_anyway: bool = False
