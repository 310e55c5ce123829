"""Finds the kept steps from the stock to a winner, and the winner without each of them, to see which steps carry the
gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.confirm.merge import without_edit
from search.confirm.studies import text_of
from search.study import source
from search.study.journal import Entry
from search.study.readable import unreadable


@dataclass(frozen=True)
class Step:
    """An edit that was kept on the way to the winner. `trial`: the one that tried it. `text`: the winner without it; None if
    it cannot be taken back. `why`: the reason, as the end of a sentence that begins with the step."""

    trial: int
    note: str
    text: str | None = None
    why: str = ""


def steps_of(entries: Sequence[Entry], winner: Entry) -> list[Step]:
    """Returns the steps of a winner in their order, along the chain of parents. A trial that only trains the program before
    it again is not a step. Empty if there is only one step, whose gain is then the winner's."""
    chain = _chain(entries, winner)
    texts = [text_of(entry) for entry in chain]
    hashes = [source.program_hash(text) for text in texts]
    places = [place for place in range(1, len(chain)) if hashes[place] != hashes[place - 1]]
    if len(places) < 2:
        return []
    return [_step(chain[place], texts[place - 1], texts[place], texts[-1]) for place in places]


def _chain(entries: Sequence[Entry], winner: Entry) -> list[Entry]:
    """Returns the trials from the stock to the winner, each the parent of the next."""
    by_number = {entry.number: entry for entry in entries}
    chain = [winner]
    while chain[-1].number > 0:
        candidate = chain[-1].trial.candidate
        assert candidate is not None
        parent = 0 if candidate.parent is None or candidate.parent >= chain[-1].number else candidate.parent
        chain.append(by_number[parent])
    return chain[::-1]


def _step(entry: Entry, before: str, after: str, winner: str) -> Step:
    number, note = entry.number, entry.trial.answer.note
    text = without_edit(before, after, winner)
    if text is None:
        return Step(number, note, why="cannot be taken back cleanly: a later step changed the same lines")
    if problem := unreadable(text):
        return Step(number, note, why=f"cannot be taken back: without it the program {problem}")
    if source.program_hash(text) == source.program_hash(winner):
        return Step(number, note, why="is no longer in the winner: a later step took it back")
    return Step(number, note, text)
