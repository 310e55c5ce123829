"""The report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from search.compare.show.report.blocks import Block, Bullets, Commands, Heading, Image, Lead, Paragraph, Table, Terms, plain

# Whatever CommonMark, GitHub's tables, formulas and links could read as markup; a backslash is allowed before all of them.
SPECIAL = re.compile(r"[\\`*_\[\]<>|#~$&]|(?<=\w):(?=//)|(?<=www)\.")
AT_THE_START = re.compile(r"^([-+=]|\d+(?=[.)]))")
PICTURES = "pictures"  # the folder beside it


def markdown(blocks: Sequence[Block]) -> str:
    """Pictures are files beside it, called as in `picture_file`."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def picture_file(name: str) -> str:
    return f"{PICTURES}/{name}.png"


def escaped(text: str) -> str:
    """Plain text that Markdown shows as it is."""
    return SPECIAL.sub(lambda found: f"\\{found.group()}", plain(text))


def _line(text: str) -> str:
    """Text at the beginning of a line, where a dash would make a list."""
    return AT_THE_START.sub(_not_a_list, escaped(text))


def _not_a_list(found: re.Match[str]) -> str:
    mark = found.group()
    return f"{mark}\\" if mark[0].isdigit() else f"\\{mark}"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escaped(text)}"
        case Paragraph(text):
            return _line(text)
        case Lead(text):
            return f"**{escaped(text)}**"
        case Bullets(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Table(columns, rows):
            return "\n".join([_row(columns), _row(["---"] * len(columns), verbatim=True), *map(_row, rows)])
        case Image(picture):
            return f"![{escaped(picture.alt)}]({picture_file(picture.name)})\n\n{_line(picture.caption)}"
        case Commands(lines):
            return "\n".join(["```sh", *(plain(line) for line in lines), "```"])
        case Terms(items):
            return "\n".join(f"- **{escaped(term)}**: {escaped(meaning)}" for term, meaning in items)


def _row(cells: Sequence[str], *, verbatim: bool = False) -> str:
    return "| " + " | ".join(cell if verbatim else escaped(cell) for cell in cells) + " |"
