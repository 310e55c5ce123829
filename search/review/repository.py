"""Reads the kept programs from the log's git repository, by the commits that the log names. Runs none of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from search.review import git
from search.review.keeps import Keep
from search.study.source import Change, change

HASH = re.compile(r"[0-9a-f]{4,64}")
OURS = {"build_model": 2, "main": 0}  # what this harness calls, with how many arguments
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # raised for programs that cannot be parsed


class Found(StrEnum):
    OURS = "of this harness"
    OTHERS = "of another harness"
    BROKEN = "cannot be parsed"
    NO_HASH = "the log names no commit"
    NOT_THERE = "not in the repository"


@dataclass(frozen=True)
class Program:
    """The program of one keep. `revision`: where git has it; `text`: None if git does not. `kind`: of its change against the
    keep before it, with the number of lines; None if one of the two texts is missing."""

    number: int
    revision: str
    found: Found
    text: str | None = None
    kind: str | None = None
    lines_added: int | None = None
    lines_removed: int | None = None


def programs(repository: Path, path: str, keeps: Sequence[Keep]) -> tuple[Program, ...]:
    """Returns the programs of the keeps. `path`: of the program in the repository. Raises UserError if the repository cannot
    be read, or if git is not installed."""
    git.ask(repository, "rev-parse", "--git-dir")
    found: list[Program] = []
    for at, keep in enumerate(keeps):
        revision = keep.commit if HASH.fullmatch(keep.commit) else _before(keeps[at + 1 :]) if at == 0 else None
        program = _program(repository, revision, path, keep.number)
        before = next((one for one in reversed(found) if one.text is not None), None)
        found.append(program if before is None else _compared(before, program))
    return tuple(found)


def file_of(program: Program) -> str:
    """Names a program's file beside the page, with the number of its trial. A revision may contain a sign that no file name
    should."""
    return f"programs/{program.number:03d}-{program.revision.replace('^', '-before')}.py"


def _before(others: Sequence[Keep]) -> str | None:
    """Returns the revision of a start that the log names by a word: the first keep was committed on top of it."""
    return next((f"{keep.commit}^" for keep in others if HASH.fullmatch(keep.commit)), None)


def _program(repository: Path, revision: str | None, path: str, number: int) -> Program:
    if revision is None:
        return Program(number, "", Found.NO_HASH)
    blob = git.ask(repository, "cat-file", "blob", f"{revision}:{path}", missing=True)
    if blob is None:
        return Program(number, revision, Found.NOT_THERE)
    text = blob.decode("utf-8", "replace")
    return Program(number, revision, _kind_of(text), text)


def _kind_of(text: str) -> Found:
    """Says whether the text defines what `train.py` defines here."""
    try:
        tree = ast.parse(text)
    except UNREADABLE:
        return Found.BROKEN
    arguments = {node.name: len(node.args.args) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return Found.OURS if OURS.items() <= arguments.items() else Found.OTHERS


def _compared(before: Program, program: Program) -> Program:
    if before.text is None or program.text is None or Found.BROKEN in (before.found, program.found):
        return program
    changed: Change = change(before.text, program.text)
    return replace(program, kind=str(changed.kind), lines_added=changed.lines_added, lines_removed=changed.lines_removed)
