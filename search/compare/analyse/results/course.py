"""How studies went: reliability and curves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """Trials that changed constants only, code only, or both, against their parent; of those, how many were kept."""

    constants: int
    code: int
    both: int
    constants_kept: int
    code_kept: int
    both_kept: int


@dataclass(frozen=True)
class Reliability:
    """How one strategy's trials went, all its studies together, anchors left out.

    `statuses`: trials by how they ended. `seconds`: by phase of a trial. `other_seconds`: from start to end of trials, less
    all phases; waiting for a busy device is in it, and is not recorded by itself. `llm_*`: None where no LLM was asked or
    where it is unknown. `llm_share`: of LLM seconds plus trial seconds.
    """

    strategy: str
    studies: int
    trials: int
    statuses: dict[str, int]
    failed_share: float
    unusable_share: float
    duplicates: int
    out_of_memory_share: float
    seconds: dict[str, float]
    other_seconds: float
    train_hours: float
    llm_seconds: float | None
    llm_share: float | None
    llm_usd: float | None
    llm_calls: int | None
    changes: Changes
    flags: dict[str, int]


@dataclass(frozen=True)
class StudyCurve:
    """Parallel tuples over the trials that count against the budget. `hours`, `usd`: used when the trial had ended (anchors
    cost hours too; `usd` is None where it is unknown). `score`: None where a trial has none that may win. `best`: so far."""

    study: str
    strategy: str
    search_seed: int
    trial: tuple[int, ...]
    hours: tuple[float, ...]
    usd: tuple[float, ...] | None
    score: tuple[float | None, ...]
    best: tuple[float | None, ...]


@dataclass(frozen=True)
class MedianCurve:
    """Median of best-so-far over the studies of one strategy, as far as all of them reach. `axis`: trials, hours or usd."""

    strategy: str
    axis: str
    studies: int
    x: tuple[float, ...]
    best: tuple[float, ...]
