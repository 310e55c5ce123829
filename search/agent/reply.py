"""From a reply to the program that is to be trained, or why there is no point in training it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.llm import edits, fields
from search.llm.answer import answer, no_answer
from search.llm.reply import Reply
from search.strategy import source


@dataclass(frozen=True)
class Edit:
    """A program, and the trial whose program it was made from."""

    program: str
    parent: int


def read(reply: Reply, bases: Mapping[int, str], tried: Mapping[str, str], edit_only: bool = False) -> Edit:
    """The program that a reply makes. `bases`: programs that may be edited, by trial, the current one first. `tried`:
    why another program is not wanted again, by its hash. `edit_only`: a whole file is refused. Raises EditError."""
    if problem := no_answer(reply):
        raise edits.EditError(problem)
    said = answer(reply.text)
    named = fields.base(said)
    parent = next(iter(bases)) if named is None else named
    if parent not in bases:
        raise edits.EditError(f"BASE: {named} is not on offer; edit the train.py that you were shown")
    edited = edits.new_program(said, bases[parent], edit_only)
    program = source.program_hash(edited)
    if program == source.program_hash(bases[parent]):
        raise edits.EditError("the edit changes nothing but comments, docstrings or formatting")
    if program in tried:
        raise edits.EditError(tried[program])
    return Edit(edited, parent)
