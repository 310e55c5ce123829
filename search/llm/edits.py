"""From an answer in plain text to a new program: SEARCH/REPLACE blocks, a diff, or the whole file in a fence."""

from __future__ import annotations

import ast
import re

from search.llm import blocks, diffs
from search.llm.edit_error import DIVIDER, FORMAT, REPLACE, SEARCH, EditError
from search.study.readable import unreadable

__all__ = ["DIVIDER", "REPLACE", "SEARCH", "EditError", "check", "new_program"]

REQUIRED = ("build_model", "main")  # what the harness needs of a program
MOST_FENCES = 50  # lines on each side of a program that are tried as its fence
MOST_PLACES = 10  # where a program may stand
FENCES = ("```", "~~~")
NUMBERED = re.compile(r"\s*L?\d+(?:\s*[:|→]|\s)", re.IGNORECASE)


def new_program(text: str, shown: str, edit_only: bool = False) -> str:
    """The program that an answer makes of the one that its author was shown (or, where `edit_only`, of another one: then a
    whole file, which would undo what that one has changed, is refused). Raises EditError."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")  # a mark of UTF-8 on Windows
    lines = text.split("\n")
    if found := blocks.blocks_of(lines):
        program = blocks.apply(found, shown)
    elif found := diffs.hunks_of(lines):
        program = blocks.apply(found, shown, "hunk")
    elif edit_only:
        raise EditError("the reply is a whole file")
    else:
        program = _whole_file(text)
    check(program)
    return program


def is_meant(text: str) -> bool:
    """Whether an answer holds something that is meant as an edit, be it a good one or not."""
    lines = text.replace("\r", "\n").split("\n")
    marked = any(blocks.OPENS.fullmatch(line) or diffs.BEGINS.fullmatch(line) for line in lines)
    return marked or any(line.startswith(f"def {REQUIRED[0]}") for line in lines)


def check(program: str) -> None:
    """Raise EditError for a text that the harness could not even start."""
    if problem := unreadable(program):
        raise EditError(f"the edited train.py {problem}")
    defined = {node.name for node in ast.parse(program).body if isinstance(node, ast.FunctionDef)}
    missing = [name for name in REQUIRED if name not in defined]
    if missing:
        raise EditError(f"the edited train.py lacks the function {' and '.join(missing)} at module level")


def _whole_file(text: str) -> str:
    """The longest fenced part that is a complete program; fences may stand inside fences. Raises EditError."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.strip().startswith(FENCES)]
    if not fences:
        raise EditError(f"the reply holds no edit: neither {SEARCH} blocks nor the whole file in a fence")
    if len(fences) == 1:
        raise EditError("the reply begins a fence and does not end it")
    problem: EditError | None = None
    for opening, closing in _spans(lines, fences):
        program = "\n".join(lines[opening + 1 : closing]) + "\n"
        try:
            check(program)
        except EditError as error:
            problem = problem or error
            continue
        return program
    body = lines[fences[0] + 1 : fences[-1]]
    if sum(bool(NUMBERED.match(line)) for line in body if line.strip()) > len(body) / 2:
        raise EditError(f"the reply's lines carry numbers; quote them as they are. {FORMAT}")
    raise problem or EditError("the reply holds no whole file: no fence is around both build_model and main")


def _spans(lines: list[str], fences: list[int]) -> list[tuple[int, int]]:
    """Between which fences a program may stand: around its first required function, the last place first and at each the
    longest first. Without such a place, between which fences anything stands."""
    places = [number for number, line in enumerate(lines) if line.startswith(f"def {REQUIRED[0]}")]
    spans: list[tuple[int, int]] = []
    for place in places[: -MOST_PLACES - 1 : -1]:
        openings = [fence for fence in fences if fence < place][-MOST_FENCES:]
        closings = [fence for fence in fences if fence > place and lines[fence].strip(" \t`~") == ""][:MOST_FENCES]
        pairs = [(opening, closing) for opening in openings for closing in closings]
        spans += sorted(pairs, key=lambda pair: pair[0] - pair[1])
    return spans or [(fences[0], fences[-1])]
