"""Reads what a reply says besides its edit: its note, hypothesis, expected gain, base and notebook."""

from __future__ import annotations

import math
import re

from search.llm import blocks

LONGEST_NOTE = 120  # characters
LONGEST_HYPOTHESIS = 800
LONGEST_NOTES = 2_000
LABELS = ("IDEAS", "NOTE", "HYPOTHESIS", "EXPECT", "BASE", "NOTES")
# At the beginning of a line, in the dress that models give it: **NOTE:**, ## Hypothesis, > NOTE -
LABEL = re.compile(rf"^[\s#>*_`-]*({'|'.join(LABELS)})\b[\s*_`]*(?::[\s*_`]*|$)", re.IGNORECASE)
EDIT = re.compile(r"^\s*(```|~~~|@@|--- \S|diff --git |\*\*\* Begin Patch)")  # where a part of a reply ends, beside a block
NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?", re.IGNORECASE)


def note(text: str) -> str:
    """The edit in a few words, as one plain line; empty if the reply has none."""
    lines = _part(text, "NOTE").strip().split("\n")
    return _plain(lines[0])[:LONGEST_NOTE].rstrip(" *_`")


def hypothesis(text: str) -> str:
    """Why the edit should help: all lines of it, as one."""
    return _plain(_part(text, "HYPOTHESIS"))[:LONGEST_HYPOTHESIS].rstrip(" *_`")


def expected(text: str) -> float | None:
    """The change of val_bpb that the author expects; negative is better. None if the reply names no finite one."""
    found = NUMBER.search(_part(text, "EXPECT").replace("\u2212", "-"))  # a minus sign
    change = float(found.group()) if found else math.inf  # as 1e999 is too
    return change if math.isfinite(change) else None


def base(text: str) -> int | None:
    """The trial whose program the edit is of; None for the one that was shown whole."""
    found = re.search(r"\d{1,9}", _part(text, "BASE"))
    return int(found.group()) if found else None


def notes(text: str) -> str | None:
    """The author's notebook, from its label to the end of the reply; None if the reply has none."""
    lines = beside_blocks(text)
    for number in range(len(lines) - 1, -1, -1):
        found = LABEL.match(lines[number])
        if found and found.group(1).upper() == "NOTES":
            kept = "\n".join([lines[number][found.end() :], *lines[number + 1 :]])
            return "".join(c if c.isprintable() or c == "\n" else " " for c in kept).strip()[:LONGEST_NOTES]
    return None


def _part(text: str, label: str) -> str:
    """What follows the first line with a label, up to the next label or edit."""
    lines = beside_blocks(text)
    for number, line in enumerate(lines):
        found = LABEL.match(line)
        if found and found.group(1).upper() == label:
            end = next((n for n in range(number + 1, len(lines)) if _ends(lines[n])), len(lines))
            return "\n".join([line[found.end() :], *lines[number + 1 : end]])
    return ""


def _ends(line: str) -> bool:
    return bool(LABEL.match(line) or EDIT.match(line)) or line == blocks.PLACE


def beside_blocks(text: str) -> list[str]:
    """The lines of a reply, with one mark in place of each SEARCH/REPLACE block, and of a whole file: code has comments
    too, which may look like labels."""
    lines: list[str] = []
    inside = False
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        opens, closes = blocks.OPENS.fullmatch(line), blocks.CLOSES.fullmatch(line)
        if opens and not inside:
            lines.append(blocks.PLACE)
        elif not inside:
            lines.append(line)
        inside = bool(opens) or (inside and not closes)
    fences = [number for number, line in enumerate(lines) if line.strip().startswith(("```", "~~~"))]
    if fences and any(line.startswith("def ") for line in lines[fences[0] : fences[-1]]):
        lines[fences[0] : fences[-1] + 1] = [blocks.PLACE]
    return lines


def _plain(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
