"""What a report is made of. All text is plain; who renders it escapes it, for notes come from candidates and LLMs."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from search.compare.show.pictures.canvas import Picture

LONGEST = 300  # letters of a text that is not ours
REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Heading:
    """`level`: 1 is the report's title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Lead:
    """The one paragraph that everybody reads."""

    text: str


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Image:
    picture: Picture


@dataclass(frozen=True)
class Commands:
    """Lines for a shell."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Words, and what they mean."""

    items: tuple[tuple[str, str], ...]


Block = Heading | Paragraph | Lead | Bullets | Table | Image | Commands | Terms


def plain(text: str) -> str:
    """A text in one line, without anything that a terminal, or a reader's eye, would take as a command: control and format
    characters (which can colour, delete or turn around what stands beside them) become a replacement character."""
    letters = ("\n" if letter in "\n\r\t" else letter for letter in text)
    safe = (REPLACED if letter != "\n" and unicodedata.category(letter)[0] == "C" else letter for letter in letters)
    return " ".join("".join(safe).split())


def short(text: str) -> str:
    """A text that is not ours, cut where it goes on and on."""
    text = plain(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    assert all(len(row) == len(columns) for row in rows)
    return Table(tuple(columns), tuple(tuple(row) for row in rows))
