"""The kept programs, taken out of the night's git repository by the commits that the log names. Nothing of them is run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from search.config.messages import UserError
from search.review.keeps import Keep
from search.study.source import Change, change

HASH = re.compile(r"[0-9a-f]{4,64}")
OURS = {"build_model": 2, "main": 0}  # what this harness calls, with how many arguments
# A repository of somebody else's may name programs in its configuration. Reading a blob runs none of them, once nothing is
# fetched for it, which a partial clone would do.
SAFE = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what a program raises that cannot be parsed
SECONDS = 60


class Found(StrEnum):
    OURS = "of this harness"
    OTHERS = "of another harness"
    BROKEN = "cannot be parsed"
    NO_HASH = "the log names no commit"
    NOT_THERE = "not in the repository"


@dataclass(frozen=True)
class Program:
    """One keep's. `revision`: where git has it; `text`: None where it is not there. `kind`: of its change against the keep
    before it, with the lines of that; None where one of the two is not there."""

    number: int
    revision: str
    found: Found
    text: str | None = None
    kind: str | None = None
    lines_added: int | None = None
    lines_removed: int | None = None


def programs(repository: Path, path: str, keeps: Sequence[Keep]) -> tuple[Program, ...]:
    """`path`: of the program in the repository. Raises UserError where that is no repository, or git is not installed."""
    _git(repository, "rev-parse", "--git-dir")
    found: list[Program] = []
    for at, keep in enumerate(keeps):
        revision = keep.commit if HASH.fullmatch(keep.commit) else _before(keeps[at + 1 :]) if at == 0 else None
        program = _program(repository, revision, path, keep.number)
        before = next((one for one in reversed(found) if one.text is not None), None)
        found.append(program if before is None else _compared(before, program))
    return tuple(found)


def _before(others: Sequence[Keep]) -> str | None:
    """Logs often name the start by a word. The first keep after it was committed on top of it."""
    return next((f"{keep.commit}^" for keep in others if HASH.fullmatch(keep.commit)), None)


def _program(repository: Path, revision: str | None, path: str, number: int) -> Program:
    if revision is None:
        return Program(number, "", Found.NO_HASH)
    text = _git(repository, "cat-file", "blob", f"{revision}:{path}", missing=True)
    if text is None:
        return Program(number, revision, Found.NOT_THERE)
    return Program(number, revision, _kind_of(text), text)


def _kind_of(text: str) -> Found:
    """Whether it defines what `train.py` defines here."""
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


def _git(repository: Path, *words: str, missing: bool = False) -> str | None:
    """What git prints. None, if it may be `missing`, where git does not have it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *words],
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **SAFE},
        )
    except FileNotFoundError as error:
        raise UserError("repository: git is not installed; install it") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"repository={repository}: git gave no answer in {SECONDS} s; copy it to a local disk") from error
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    if missing:
        return None
    said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    raise UserError(f"repository={repository}: is no git repository that can be read ({said}); give a clone's folder")
