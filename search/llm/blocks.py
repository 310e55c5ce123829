"""SEARCH/REPLACE blocks: found in a reply, and applied to a program. Near misses are accepted if they can mean only one
thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from search.llm.edit_error import DIVIDER, FORMAT, REPLACE, SEARCH, EditError
from search.llm.lines import find, indent, nearest, shifted, squeezed, squeezed_code, with_comment

# Six or eight chevrons, a fence or a file's name at a mark mean the same.
BESIDE = r"[\s`:*]*(?:[\w./-]+\.py|python)?[\s`:*]*"
OPENS = re.compile(rf"{BESIDE}<{{5,9}}\s*(SEARCH|ORIGINAL)\b{BESIDE}", re.IGNORECASE)
DIVIDES = re.compile(r"\s*={5,9}\s*")
CLOSES = re.compile(rf"\s*>{{5,9}}(\s*(REPLACE|UPDATED)\b)?{BESIDE}", re.IGNORECASE)
FENCE = re.compile(r"\s*(?:```|~~~)[\w+.-]*\s*")
FILE_NAME = re.compile(r"\s*[`*]*[\w./-]+\.py[`*]*:?\s*")
NUMBERED = re.compile(r"\s*L?\d+(?:\s*[:|→]|\s|$) ?", re.IGNORECASE)

PLACE = "<block>"  # stands for a block, where the rest of a reply is read

Line = tuple[int | None, str]  # of a program under way: its place in the program that was shown, None for a new line
Like = Callable[[str], str]  # in what two lines must agree


@dataclass(frozen=True)
class Block:
    """Lines to find, and lines to put in their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def blocks_of(lines: list[str]) -> list[Block]:
    """All blocks of a reply. Raises EditError for one that begins but does not end."""
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


def apply(blocks: list[Block], shown: str, name: str = "block") -> str:
    """The program after all blocks. Lines are looked up in the program that was shown, or else in what earlier blocks put
    there. `name`: what their author calls them. Raises EditError."""
    lines: list[Line] = list(enumerate(shown.split("\n")))
    fenced = any(FENCE.fullmatch(line) for _, line in lines)
    taken: dict[int, int] = {}  # lines of the shown program that are replaced, and by which block
    for number, block in enumerate(blocks, 1):
        before = {origin for origin, _ in lines if origin is not None}
        wanted = block if fenced else _without_fences(block)
        lines = _apply(wanted, lines, shown.split("\n"), taken, f"{name} {number}")
        taken |= dict.fromkeys(before - {origin for origin, _ in lines}, number)
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


def _apply(block: Block, lines: list[Line], shown: list[str], taken: dict[int, int], name: str) -> list[Line]:
    """Replace the one place that a block names. Raises EditError."""
    if not any(line.strip() for line in block.search):
        raise EditError(f"{name} searches for nothing; quote the lines to replace")
    now = [line for _, line in lines]
    trimmed = _trimmed(block)
    tiers: list[tuple[Block, Like]] = [(block, str), (block, squeezed), (trimmed, str), (trimmed, squeezed)]
    for candidate, like in [*tiers, (trimmed, squeezed_code)]:
        wanted = [like(line) for line in candidate.search]
        places = _in_shown(find([like(line) for line in shown], wanted), lines, len(wanted), taken, name)
        places = places or find([like(line) for line in now], wanted)
        if len(places) > 1:
            raise EditError(_several(places, lines, name))
        if places:
            start, end = places[0], places[0] + len(wanted)
            return [*lines[:start], *_new(candidate, now[start:end], like), *lines[end:]]
    raise EditError(_nothing(list(trimmed.search), shown, name))


def _new(block: Block, old: list[str], like: Like) -> list[Line]:
    """The lines that a block puts in place of old ones: indented as these are, and with their trailing comments where
    the reply left these out."""
    if like is str:
        return [(None, line) for line in block.replace]
    new = shifted(block.replace, indent(block.search[0]), indent(old[0]))
    if like is squeezed_code and len(new) == len(old):
        new = [with_comment(line, before) for line, before in zip(new, old, strict=True)]
    return [(None, line) for line in new]


def _in_shown(places: list[int], lines: list[Line], size: int, taken: dict[int, int], name: str) -> list[int]:
    """Where places of the shown program are by now. Raises EditError where an earlier block has changed the only one."""
    by_origin = {origin: place for place, (origin, _) in enumerate(lines) if origin is not None}
    found = []
    for place in places:
        start = by_origin.get(place)
        if start is not None and all(by_origin.get(place + step) == start + step for step in range(size)):
            found.append(start)
    if places and not found:
        raise EditError(_overlap(range(places[0], places[0] + size), taken, name))
    return found


def _overlap(wanted: range, taken: dict[int, int], name: str) -> str:
    kind, _, number = name.rpartition(" ")
    shared = [origin for origin in wanted if origin in taken]
    if not shared:  # an earlier one put lines in between
        return f"{name} quotes lines between which an earlier {kind} has put others; make one {kind} of them"
    lines = f"line {shared[0] + 1}" if len(shared) == 1 else f"lines {shared[0] + 1} to {shared[-1] + 1}"
    first = taken[shared[0]]
    return f"{kind}s {first} and {number} overlap: both change {lines} of the train.py that you were shown; make one of them"


def _several(places: list[int], lines: list[Line], name: str) -> str:
    origins = [lines[place][0] for place in places[:5]]
    at = ", ".join(str(origin + 1) for origin in origins if origin is not None)
    return f"{name} matches {len(places)} places (lines {at}); quote more lines around the one you mean"


def _nothing(wanted: list[str], shown: list[str], name: str) -> str:
    """Why a block matches nothing."""
    plain = [NUMBERED.sub("", line, count=1) for line in wanted]
    if plain != wanted and find([squeezed(line) for line in shown], [squeezed(line) for line in plain]):
        return f"{name} quotes lines with their numbers; quote them as they are. {FORMAT}"
    return f"{name} matches nothing in the train.py that you were shown. The nearest lines are:\n{nearest(shown, wanted)}"


def _trimmed(block: Block) -> Block:
    """The block without blank lines around what is searched for, nor the same blank lines around its replacement."""
    search, replace = list(block.search), list(block.replace)
    for end in (0, -1):
        while not search[end].strip():
            search.pop(end)
            if replace and not replace[end].strip():
                replace.pop(end)
    return Block(tuple(search), tuple(replace))
