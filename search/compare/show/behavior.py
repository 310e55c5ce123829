"""Says how the strategies behaved: in a row of a table and in a sentence for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from search.compare.analyse.behavior import Behavior, Expectations, Tried
from search.compare.analyse.moves import AGAIN, ELSE, RETREAT
from search.compare.show.view import NONE, View, joined
from search.page.numbers import percent, plural

NOT_RECORDED = "not on record"
CATEGORIES = 3  # in a cell; report.json has all
THEN = {AGAIN: "the same again", RETREAT: "constants alone", ELSE: "something else"}


@dataclass(frozen=True)
class Row:
    """One strategy's row of the table."""

    strategy: str
    proposals: int
    kinds: str
    categories: str
    step: str
    novelty: str
    repeats: str
    plateau: str
    after_failure: str
    expectations: str


@dataclass(frozen=True)
class Told:
    """What the report says about behavior. `rows`: of the table. `sentences`: one for each strategy."""

    rows: list[Row]
    sentences: list[str]


def behavior_told(view: View) -> Told:
    """Returns a row and a sentence for each strategy that has proposed a change."""
    found = [one for one in view.analysis.behavior if one.proposals]
    return Told(
        [_row(view, one) for one in found],
        [f"{view.name(one.strategy)}: {'; '.join(_clauses(view, one))}." for one in found],
    )


def _row(view: View, one: Behavior) -> Row:
    known = one.categories is not None
    return Row(
        strategy=view.name(one.strategy),
        proposals=one.proposals,
        kinds=_tried(one.kinds, one.proposals),
        categories=_tried(dict(list((one.categories or {}).items())[:CATEGORIES]), one.proposals) if known else NOT_RECORDED,
        step=NONE if one.step is None else f"{one.step:.2f}",
        novelty=NOT_RECORDED if one.novelty is None else f"{one.novelty:.2f}",
        repeats=NOT_RECORDED if one.repeats is None else str(one.repeats),
        plateau=NONE if one.plateau is None else f"{one.plateau:g} trials, the last {percent(one.after_last or 0)}",
        after_failure=NOT_RECORDED if one.after_failure is None else _counts(one.after_failure),
        expectations=NONE if one.expectations is None else _expected(view, one.expectations),
    )


def _clauses(view: View, one: Behavior) -> Iterator[str]:
    subject = f"of its {plural(one.proposals, 'proposal')} "
    code = _sum(one.kinds["code"], one.kinds["both"])
    for what, tried in (("changed code", code), ("changed constants alone", one.kinds["constants"])):
        if tried.proposals:
            share, kept = percent(tried.proposals / one.proposals), percent(tried.kept / tried.proposals)
            yield f"{share} {subject}{what}, and {kept} of those were kept"
            subject = ""
    if one.after_failure:
        total = sum(one.after_failure.values())
        parts = [f"{THEN[then]} ({percent(count / total)})" for then, count in _named(one.after_failure)]
        yield f"{plural(total, 'time')} code was not kept, and it then tried {joined(parts)}"
    if one.expectations is not None:
        yield f"it expected {_expected(view, one.expectations)}"


def _sum(one: Tried, other: Tried) -> Tried:
    return Tried(one.proposals + other.proposals, one.kept + other.kept)


def _tried(found: Mapping[str, Tried], proposals: int) -> str:
    parts = (
        f"{name} {percent(tried.proposals / proposals)} ({tried.kept} of {tried.proposals} kept)"
        for name, tried in found.items()
        if tried.proposals
    )
    return ", ".join(parts) or NONE


def _counts(after: Mapping[str, int]) -> str:
    return ", ".join(f"{THEN[then]} {count}" for then, count in _named(after)) or NONE


def _named(after: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(then, after[then]) for then in THEN if then in after]


def _expected(view: View, found: Expectations) -> str:
    signed = view.numbers.signed
    over = plural(found.proposals, "proposal")
    return f"{signed(found.expected)} and got {signed(found.measured)}, on average over {over}"
