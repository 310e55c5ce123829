"""A study's report, made from its journal alone, for whoever plans the next study.

`.github/docs/study-report.md` says what each field means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import Any

from search.study import facts, source
from search.study.budget import dollars, known_total, train_hours
from search.study.contract import NoiseFloor
from search.study.schedule import Entry
from search.study.trial import Candidate, Origin
from search.study.winner import winner_of

SCHEMA = 1  # of its form
FILE, PAGE = "report.json", "report.md"  # in a study's folder
USD, DIRECTION, REPORT = "usd_", "direction", "report_"  # facts of a strategy that asks several LLMs

Report = Mapping[str, Any]


def report_of(
    header: Mapping[str, Any],
    entries: Sequence[Entry],
    ended: str = "",
    floor: NoiseFloor | None = None,
    confirmed: Mapping[str, Sequence[float]] | None = None,
) -> Report:
    """A study's report, as JSON values. `header`: the first line of its journal. `entries`: its trials in the order of
    telling. `ended`: why its last start ended. `floor`: what the control knew last. `confirmed`: gains over the stock
    in the blocks of a confirmation, by a program's hash."""
    config = header["config"]
    scores = {entry.number: entry.trial.val_bpb for entry in entries}
    kept = {entry.trial.candidate.source: entry for entry in entries if entry.kept and entry.trial.candidate is not None}
    ideas = [_idea(entry, scores, kept) for entry in entries if entry.origin is Origin.STRATEGY and not _repeats(entry)]
    return {
        "schema": SCHEMA,
        "study": header["identity"],
        "id": header["id"],
        "strategy": header["strategy"],
        "role": config["strategy"]["role"],
        "search_seed": config["seed"],
        "task": {"name": config["task"]["name"], **header["task"]},
        "task_fingerprint": header["task_fingerprint"],
        "reads": list(header.get("reads", ())),
        "ended": ended,
        "stock_val_bpb": scores.get(0),
        "noise_floor": None if floor is None else asdict(floor),
        "spent": _spent(entries),
        "winner": _winner(entries, scores.get(0), confirmed or {}),
        "findings": [idea for idea in ideas if idea["kept"]],
        "dead_ends": [idea for idea in ideas if not idea["kept"]],
        "directions": _directions(entries),
        "expectations": _expectations(ideas),
    }


def _idea(entry: Entry, scores: Mapping[int, float | None], kept: Mapping[str, Entry]) -> dict[str, Any]:
    """`difference`: of val_bpb to the program that was edited; negative is better. `kept`: by program, the trial with
    which it was kept, which may be a later training run of it."""
    trial, candidate = entry.trial, entry.trial.candidate
    before = None if candidate is None or candidate.parent is None else scores.get(candidate.parent)
    by = None if candidate is None else kept.get(candidate.source)
    return {
        "trial": entry.number,
        "parent": None if candidate is None else candidate.parent,
        "note": trial.answer.note,
        "hypothesis": trial.answer.facts.get("hypothesis", ""),
        "status": str(trial.status),
        "val_bpb": trial.val_bpb,
        "difference": None if before is None or trial.val_bpb is None else trial.val_bpb - before,
        "expected": facts.number(trial.answer.facts.get("expected")),
        "kept": by is not None,
        "reason": (by or entry).verdict.reason,
    }


def _repeats(entry: Entry) -> bool:
    """Whether it is a repeated training run of a program, and not a new idea."""
    candidate = entry.trial.candidate
    return candidate is not None and candidate.replicate > 0


def _spent(entries: Sequence[Entry]) -> dict[str, Any]:
    trials = [entry.trial for entry in entries]
    costs = [trial.answer.cost for trial in trials if trial.answer.cost is not None]
    return {
        "trials": sum(trial.origin is not Origin.ANCHOR for trial in trials),
        "statuses": dict(sorted(Counter(str(trial.status) for trial in trials).items())),
        "train_hours": train_hours(trials),
        "usd": dollars(trials) if costs else None,
        "usd_by_role": _by_role(trial.answer.facts for trial in trials),
        "llm_calls": sum(cost.calls for cost in costs),
        "llm_seconds": sum(cost.seconds for cost in costs),
        "tokens_in": known_total(cost.tokens_in for cost in costs),
        "tokens_out": known_total(cost.tokens_out for cost in costs),
    }


def _by_role(told: Iterable[Mapping[str, str]]) -> dict[str, float | None]:
    """Dollars of each LLM, where a strategy asks several; None if they are not known."""
    found: dict[str, list[float | None]] = {}
    for trial in told:
        for name, value in trial.items():
            if name.startswith(USD):
                found.setdefault(name.removeprefix(USD), []).append(facts.number(value))
    return {role: known_total(values) for role, values in sorted(found.items())}


def _winner(
    entries: Sequence[Entry], stock: float | None, confirmed: Mapping[str, Sequence[float]]
) -> dict[str, Any] | None:
    winner = winner_of(entries)
    first = next((entry for entry in entries if entry.origin is Origin.STOCK), None)
    if winner is None or winner.score is None or first is None:
        return None
    program, before = winner.trial.candidate, first.trial.candidate
    assert isinstance(program, Candidate) and isinstance(before, Candidate)
    again = confirmed.get(program.source_hash, ())
    return {
        "trial": winner.number,
        "note": program.note,
        "val_bpb": winner.score,
        "gain": None if stock is None else stock - winner.score,
        "confirmed": {"blocks": len(again), "gain": mean(again)} if again else None,
        "program": program.source_hash,
        "diff": source.diff(before.source, program.source, "stock/train.py", "winner/train.py"),
    }


def _directions(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Of a planned study: each direction with its trials and its planner's report, empty if none was written."""
    told = [(entry.number, entry.trial.answer.facts) for entry in entries]
    reports = {name.removeprefix(REPORT): text for _, trial in told for name, text in _written(trial)}
    trials: dict[str, list[int]] = {}
    for number, trial in told:
        if DIRECTION in trial:
            trials.setdefault(trial[DIRECTION], []).append(number)
    return [
        {"direction": name, "trials": sorted(numbers), "report": reports.get(name.partition(":")[0], "")}
        for name, numbers in trials.items()
    ]


def _written(told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in told.items() if name.startswith(REPORT))


def _expectations(ideas: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How expected and measured differences compare, over the ideas that have both."""
    both = [idea for idea in ideas if idea["expected"] is not None and idea["difference"] is not None]
    if not both:
        return None
    return {
        "ideas": len(both),
        "expected": mean(idea["expected"] for idea in both),
        "measured": mean(idea["difference"] for idea in both),
        "better": sum(idea["difference"] < 0 for idea in both),
    }
