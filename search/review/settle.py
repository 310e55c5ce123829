"""Plans what would settle whether a gain is real: which programs to train again, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.review.keeps import Keep, Verdict
from search.review.luck import Noise, repeats_for

ENOUGH_DEGREES = 7  # of freedom of a measured noise: from eight runs of one program, as a comparison's control has
MOST_KEEPS = 3  # within noise, for which a test is planned


@dataclass(frozen=True)
class Test:
    """A test that would settle a question: `runs` training runs of each of `programs` on fresh seeds. `hours`: of a
    device."""

    question: str
    programs: tuple[str, ...]
    runs: int
    hours: float


def tests_of(keeps: Sequence[Keep], claimed: float, noise: Noise | None, minutes: float) -> tuple[Test, ...]:
    """Plans tests of the noise, if too little is known of it, then of the claim, then of the largest keeps within noise."""
    start, best = keeps[0], max(keeps, key=lambda keep: keep.gain)

    def planned(question: str, programs: Sequence[Keep], runs: int) -> Test:
        names = tuple(_name(keep) for keep in programs)
        return Test(question, names, runs, runs * len(programs) * minutes / 60)

    found = []
    if noise is None or few(noise):
        found.append(planned("How noisy is one training run?", [start], ENOUGH_DEGREES + 1))
    if noise is None or claimed <= 0:
        return tuple(found)
    found.append(planned("Is at least half of the claim true?", [start, best], repeats_for(claimed / 2, noise.sd)))
    within = sorted(
        (keep for keep in keeps if keep.verdict in (Verdict.WITHIN, Verdict.TOGETHER)), key=lambda keep: -keep.step
    )
    for keep in within[:MOST_KEEPS]:
        runs = repeats_for(keep.step, noise.sd, tests=len(within))
        found.append(planned(f"Is the step of trial {keep.number} as large as logged?", [_before(keeps, keep), keep], runs))
    return tuple(found)


def _before(keeps: Sequence[Keep], keep: Keep) -> Keep:
    """Returns the best one kept before it."""
    return max((one for one in keeps if one.number < keep.number), key=lambda one: one.gain)


def _name(keep: Keep) -> str:
    return f"{keep.commit} (trial {keep.number})" if keep.commit else f"trial {keep.number}"


def few(noise: Noise) -> bool:
    """Says whether the noise was measured on fewer runs than the comparison wants of its control."""
    return noise.degrees is not None and noise.degrees < ENOUGH_DEGREES
