"""How the trials of each strategy went: failures, time, money, and what kind of change was tried and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.compare.analyse.results import Changes, Reliability
from search.compare.read.tables import Experiment, TrialRow
from search.study.budget import known_total
from search.study.trial import Origin, Status


def reliability_of(experiment: Experiment, strategy: str) -> Reliability:
    studies = experiment.of(strategy)
    rows = [row for study in studies for row in study.trials]
    statuses = Counter(row.status for row in rows)
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds.update(row.seconds)
    trial_seconds = sum(row.finished - row.started for row in rows)
    asked = [row for row in rows if row.asked_llm]
    llm_seconds = sum(row.llm_seconds for row in asked)
    return Reliability(
        strategy=strategy,
        studies=len(studies),
        trials=len(rows),
        statuses=dict(statuses),
        failed_share=_share(len(rows) - statuses[Status.COMPLETED], rows),
        unusable_share=_share(statuses[Status.UNUSABLE], rows),
        duplicates=sum(row.duplicate_of is not None for row in rows),
        out_of_memory_share=_share(statuses[Status.OUT_OF_MEMORY], rows),
        seconds=dict(seconds),
        other_seconds=trial_seconds - sum(seconds.values()),
        train_hours=sum(row.train_seconds for row in rows) / 3600,
        llm_seconds=llm_seconds if asked else None,
        llm_share=llm_seconds / (llm_seconds + trial_seconds) if asked and llm_seconds + trial_seconds > 0 else None,
        llm_usd=dollars(asked) if asked else None,
        llm_calls=sum(row.llm_calls for row in asked) if asked else None,
        changes=_changes(rows),
        flags=dict(Counter(flag for row in rows for flag in (*row.flags, *row.doubts))),
    )


def dollars(rows: Sequence[TrialRow]) -> float | None:
    """What their replies cost; 0 where no LLM was asked, None where a price is unknown."""
    return known_total(row.usd for row in rows if row.asked_llm)


def _changes(rows: Sequence[TrialRow]) -> Changes:
    proposed = [row for row in rows if row.origin == Origin.STRATEGY]
    tried = Counter(row.kind for row in proposed)
    kept = Counter(row.kind for row in proposed if row.kept)
    kinds = ("constants", "code", "both")
    return Changes(*(tried[kind] for kind in kinds), *(kept[kind] for kind in kinds))


def _share(count: int, rows: Sequence[TrialRow]) -> float:
    return count / len(rows) if rows else 0.0
