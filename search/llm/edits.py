"""From a reply in plain text to a new program: SEARCH/REPLACE blocks, or the whole file in a fence. Nothing is executed."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass
from itertools import combinations

SEARCH, DIVIDER, REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
REQUIRED = ("build_model", "main")  # what the harness needs of a program
LONGEST_NOTE = 120  # characters
MOST_FENCES = 24  # lines that begin a fence; beyond that, pairing them up is not worth it


class EditError(Exception):
    """Why a reply is no new program, in words for its author."""


@dataclass(frozen=True)
class Block:
    """Lines to find, and lines to put in their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def new_program(reply: str, current: str) -> str:
    """The program that a reply makes of the current one. Raises EditError."""
    text = reply.replace("\r\n", "\n").replace("\r", "\n")
    blocks = _blocks(text.split("\n"))
    if blocks:
        program = current
        for number, block in enumerate(blocks, 1):
            program = _apply(block, program, number)
    else:
        program = _whole_file(text)
    check(program)
    return program


def check(program: str) -> None:
    """Raise EditError for a text that the harness could not even start."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f" at line {line}: {program.splitlines()[line - 1].strip()!r}" if line else ""
        raise EditError(f"the edited train.py does not parse: {getattr(error, 'msg', error)}{where}") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    missing = [name for name in REQUIRED if name not in defined]
    if missing:
        raise EditError(f"the edited train.py lacks the function {' and '.join(missing)} at module level")


def field(reply: str, name: str) -> str:
    """The rest of the first line that begins with `NAME:`, as one plain line; empty where there is none."""
    found = re.search(rf"^\W*{name}\W*?:[ \t*_]*(.+)$", reply, re.MULTILINE | re.IGNORECASE)
    words = found.group(1) if found else ""
    plain = "".join(character if character.isprintable() else " " for character in words)
    return " ".join(plain.split())[:LONGEST_NOTE]


def _blocks(lines: list[str]) -> list[Block]:
    """All blocks of a reply. Raises EditError for one that is begun and not ended."""
    blocks: list[Block] = []
    part: list[str] | None = None
    search: list[str] = []
    replace: list[str] = []
    for line in lines:
        mark = line.strip()
        if mark == SEARCH:
            if part is not None:
                raise EditError(f"block {len(blocks) + 1} begins another {SEARCH} before its {REPLACE}")
            search, replace = [], []
            part = search
        elif mark == DIVIDER and part is search and part is not None:
            part = replace
        elif mark == REPLACE and part is not None:
            if part is search:
                raise EditError(f"block {len(blocks) + 1} has no line {DIVIDER}")
            blocks.append(Block(tuple(search), tuple(replace)))
            part = None
        elif part is not None:
            part.append(line)
    if part is not None:
        raise EditError(f"block {len(blocks) + 1} is not ended by a line {REPLACE}")
    return blocks


def _apply(block: Block, program: str, number: int) -> str:
    """Replace the one place that a block names: exactly, or else up to white space. Raises EditError."""
    if not any(line.strip() for line in block.search):
        raise EditError(f"block {number} searches for nothing; quote the lines to replace")
    lines = program.split("\n")
    wanted = list(block.search)
    places = _places(lines, wanted)
    shift = ""
    replacement = list(block.replace)
    if not places:
        places = _places([_squeezed(line) for line in lines], [_squeezed(line) for line in wanted])
        if len(places) == 1:
            shift = _indent(lines[places[0]])
            replacement = _shifted(replacement, _indent(wanted[0]), shift)
    if len(places) > 1:
        at = ", ".join(str(place + 1) for place in places[:5])
        raise EditError(
            f"block {number} matches {len(places)} places (lines {at}); quote more lines around the one you mean"
        )
    if not places:
        raise EditError(
            f"block {number} matches nothing in the current train.py. The nearest lines are:\n{_nearest(lines, wanted)}"
        )
    start = places[0]
    return "\n".join([*lines[:start], *replacement, *lines[start + len(wanted) :]])


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    size = len(wanted)
    return [start for start in range(len(lines) - size + 1) if lines[start : start + size] == wanted]


def _squeezed(line: str) -> str:
    return "".join(line.split())


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(lines: list[str], before: str, after: str) -> list[str]:
    """Lines indented as the place they go to, where the reply quoted that place with another indentation."""
    if before == after:
        return lines
    return [after + line.removeprefix(before) if line.strip() else line for line in lines]


def _nearest(lines: list[str], wanted: list[str]) -> str:
    """The window of lines most like those that were searched for."""
    size = max(1, len(wanted))
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2("\n".join(_squeezed(line) for line in wanted))
    best, best_ratio = 0, -1.0
    for start in range(max(1, len(lines) - size + 1)):
        matcher.set_seq1("\n".join(_squeezed(line) for line in lines[start : start + size]))
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio and matcher.ratio() > best_ratio:
            best, best_ratio = start, matcher.ratio()
    return "\n".join(lines[best : best + size])


def _whole_file(text: str) -> str:
    """The longest fenced part that is a complete program; fences may stand inside fences. Raises EditError."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.strip().startswith("```")]
    if not fences:
        raise EditError(f"the reply holds no edit: neither {SEARCH} blocks nor the whole file in a fence")
    pairs = sorted(combinations(fences[:MOST_FENCES], 2), key=lambda pair: pair[0] - pair[1])
    problem: EditError | None = None
    for opening, closing in pairs:
        program = "\n".join(lines[opening + 1 : closing]) + "\n"
        try:
            check(program)
        except EditError as error:
            problem = problem or error
            continue
        return program
    raise problem or EditError("the reply begins a fence and does not end it")
