"""Diffs in a reply: unified ones, and the patches that some models are trained to write. Each hunk is applied by its content
like a SEARCH/REPLACE block; its line numbers, which models get wrong, are not read."""

from __future__ import annotations

import re

from search.llm.blocks import FENCE, Block
from search.llm.edit_error import FORMAT, EditError

HUNK = re.compile(r"@@.*")
OLD, NEW = re.compile(r"--- \S.*"), re.compile(r"\+\+\+ (\S+).*")
PATCH = re.compile(r"\*\*\* (?:Begin Patch|End Patch|End of File|(?:Update|Add|Delete) File: *(\S+))\s*")
GIT = re.compile(r"(diff --git |index |new file mode |similarity index ).*")
BEGINS = re.compile(rf"{HUNK.pattern}|{NEW.pattern}|{PATCH.pattern}")  # a diff, as far as one line shows
PROGRAM = "train.py"


def hunks_of(lines: list[str]) -> list[Block]:
    """The hunks of all diffs in a reply. Raises EditError for one that is of another file, or that is none."""
    hunks: list[Block] = []
    hunk: list[str] | None = None
    fenced = False
    for number, line in enumerate([*lines, "*** End Patch"], 1):
        begins = _begins_hunk(lines, number - 1)
        if (
            hunk is not None
            and not begins
            and not _is_head(line)
            and (line[:1] in (" ", "-", "+", "\\") or not line.strip())
        ):
            hunk.append(line)
            continue
        if hunk is not None:
            if fenced and not begins and not _is_head(line) and not FENCE.fullmatch(line):
                raise EditError(f"line {number} of the reply, in a diff, begins with none of ' ', '-' and '+'. {FORMAT}")
            hunks += _blocks(hunk)
        hunk = [] if begins else None
        _check_file(line)
        if FENCE.fullmatch(line):
            fenced = not fenced
    return hunks


def _begins_hunk(lines: list[str], place: int) -> bool:
    """At a line of @@, or at the last line of a head that no line of @@ follows."""
    if place >= len(lines):
        return False
    after = lines[place + 1] if place + 1 < len(lines) else ""
    headed = bool(NEW.fullmatch(lines[place]) and OLD.fullmatch(lines[place - 1])) or "File:" in lines[place]
    return bool(HUNK.fullmatch(lines[place])) or (headed and _is_head(lines[place]) and not HUNK.fullmatch(after))


def _is_head(line: str) -> bool:
    return any(mark.fullmatch(line) for mark in (HUNK, OLD, NEW, PATCH, GIT))


def _check_file(line: str) -> None:
    found = NEW.fullmatch(line) or PATCH.fullmatch(line)
    name = found.group(1) if found else None
    if name and name.rpartition("/")[2] not in (PROGRAM, "after"):
        raise EditError(f"the diff changes {name}; only {PROGRAM} can be changed")


def _blocks(hunk: list[str]) -> list[Block]:
    """A hunk as a block; none where it says nothing. Blank lines at its end are the reply's own."""
    while hunk and not hunk[-1].strip():
        hunk.pop()
    body = [line for line in hunk if not line.startswith("\\")]  # "\ No newline at end of file"
    if not body:
        return []
    search = tuple(line[1:] for line in body if not line.startswith("+"))
    return [Block(search, tuple(line[1:] for line in body if not line.startswith("-")))]
