"""SEARCH/REPLACE blocks: found in a reply, and applied to a program. Near misses that can only mean one thing are taken."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from search.llm.edit_error import DIVIDER, FORMAT, REPLACE, SEARCH, EditError

# Six or eight chevrons, a fence or a file's name at a mark mean the same.
BESIDE = r"[\s`:*]*(?:[\w./-]+\.py|python)?[\s`:*]*"
OPENS = re.compile(rf"{BESIDE}<{{5,9}}\s*(SEARCH|ORIGINAL)\b{BESIDE}", re.IGNORECASE)
DIVIDES = re.compile(r"\s*={5,9}\s*")
CLOSES = re.compile(rf"\s*>{{5,9}}(\s*(REPLACE|UPDATED)\b)?{BESIDE}", re.IGNORECASE)
FENCE = re.compile(r"\s*(?:```|~~~)[\w+.-]*\s*")
FILE_NAME = re.compile(r"\s*[`*]*[\w./-]+\.py[`*]*:?\s*")
NUMBERED = re.compile(r"\s*L?\d+(?:\s*[:|→]|\s|$) ?", re.IGNORECASE)

Line = tuple[int | None, str]  # of a program under way: its place in the program that was shown, None for a new line


@dataclass(frozen=True)
class Block:
    """Lines to find, and lines to put in their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def blocks_of(lines: list[str]) -> list[Block]:
    """All blocks of a reply. Raises EditError for one that is begun and not ended."""
    blocks: list[Block] = []
    inside: list[str] | None = None
    for line in lines:
        if OPENS.fullmatch(line):
            if inside is not None:
                raise EditError(f"block {len(blocks) + 1} begins another {SEARCH} before its {REPLACE}")
            inside = []
        elif inside is not None and CLOSES.fullmatch(line):
            blocks.append(_split(inside, len(blocks) + 1))
            inside = None
        elif inside is not None:
            inside.append(line)
    if inside is not None:
        raise EditError(f"block {len(blocks) + 1} is not ended by a line {REPLACE}")
    return blocks


def apply(blocks: list[Block], shown: str) -> str:
    """The program after all blocks. Lines are looked up in the program that was shown, or else in what earlier blocks put
    there. Raises EditError."""
    lines: list[Line] = list(enumerate(shown.split("\n")))
    fenced = any(FENCE.fullmatch(line) for _, line in lines)
    for number, block in enumerate(blocks, 1):
        lines = _apply(block if fenced else _without_fences(block), lines, shown.split("\n"), number)
    return "\n".join(line for _, line in lines)


def _split(inside: list[str], number: int) -> Block:
    """A block's two parts, at the divider of the right length, or else at the first that is nearly one."""
    exact = [place for place, line in enumerate(inside) if line.strip() == DIVIDER]
    near = [place for place, line in enumerate(inside) if DIVIDES.fullmatch(line)]
    if not near:
        raise EditError(f"block {number} has no line {DIVIDER}")
    place = (exact or near)[0]
    return Block(tuple(inside[:place]), tuple(inside[place + 1 :]))


def _without_fences(block: Block) -> Block:
    """The block without a fence or a file's name around its parts: for programs that hold no fence themselves."""
    return Block(*(_inner(part) for part in (block.search, block.replace)))


def _inner(part: tuple[str, ...]) -> tuple[str, ...]:
    filled = [place for place, line in enumerate(part) if line.strip()]
    if filled and FILE_NAME.fullmatch(part[filled[0]]):
        part, filled = part[filled[0] + 1 :], [place - filled[0] - 1 for place in filled[1:]]
    if filled and FENCE.fullmatch(part[filled[-1]]):
        part, filled = part[: filled[-1]], filled[:-1]
    return part[filled[0] + 1 :] if filled and FENCE.fullmatch(part[filled[0]]) else part


def _apply(block: Block, lines: list[Line], shown: list[str], number: int) -> list[Line]:
    """Replace the one place that a block names. Raises EditError."""
    if not any(line.strip() for line in block.search):
        raise EditError(f"block {number} searches for nothing; quote the lines to replace")
    now = [line for _, line in lines]
    for candidate in (block, _trimmed(block)):
        for like in (str, _squeezed):
            wanted = [like(line) for line in candidate.search]
            places = _in_shown(_places([like(line) for line in shown], wanted), lines, len(wanted), number)
            places = places or _places([like(line) for line in now], wanted)
            if len(places) > 1:
                raise EditError(_several(places, lines, number))
            if places:
                start, end = places[0], places[0] + len(wanted)
                shift = (_indent(candidate.search[0]), _indent(now[start])) if like is _squeezed else ("", "")
                new: list[Line] = [(None, line) for line in _shifted(candidate.replace, *shift)]
                return [*lines[:start], *new, *lines[end:]]
    raise EditError(_nothing(list(_trimmed(block).search), shown, number))


def _in_shown(places: list[int], lines: list[Line], size: int, number: int) -> list[int]:
    """Where places of the shown program are by now. Raises EditError where an earlier block has changed the only one."""
    by_origin = {origin: place for place, (origin, _) in enumerate(lines) if origin is not None}
    found = []
    for place in places:
        start = by_origin.get(place)
        if start is not None and all(by_origin.get(place + step) == start + step for step in range(size)):
            found.append(start)
    if places and not found:
        raise EditError(f"block {number} changes lines that an earlier block has changed; make one block of them")
    return found


def _several(places: list[int], lines: list[Line], number: int) -> str:
    origins = [lines[place][0] for place in places[:5]]
    at = ", ".join(str(origin + 1) for origin in origins if origin is not None)
    return f"block {number} matches {len(places)} places (lines {at}); quote more lines around the one you mean"


def _nothing(wanted: list[str], shown: list[str], number: int) -> str:
    """Why a block matches nothing."""
    plain = [NUMBERED.sub("", line, count=1) for line in wanted]
    if plain != wanted and _places([_squeezed(line) for line in shown], [_squeezed(line) for line in plain]):
        return f"block {number} quotes lines with their numbers; quote them as they are. {FORMAT}"
    return f"block {number} matches nothing in the current train.py. The nearest lines are:\n{_nearest(shown, wanted)}"


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    size = len(wanted)
    return [start for start in range(len(lines) - size + 1) if lines[start : start + size] == wanted]


def _trimmed(block: Block) -> Block:
    """The block without blank lines around what is searched for, nor the same blank lines around its replacement."""
    search, replace = list(block.search), list(block.replace)
    for end in (0, -1):
        while not search[end].strip():
            search.pop(end)
            if replace and not replace[end].strip():
                replace.pop(end)
    return Block(tuple(search), tuple(replace))


def _squeezed(line: str) -> str:
    return "".join(line.split())


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(lines: tuple[str, ...], before: str, after: str) -> list[str]:
    """Lines indented as the place they go to, where the reply quoted that place with another indentation."""
    if before == after:
        return list(lines)
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
