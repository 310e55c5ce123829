"""Text that a candidate or an LLM wrote, made fit to be shown: no terminal escapes, no HTML, no more than a stated size."""

from __future__ import annotations

import html
import re

LINE = 200  # characters of a reason or a note on one line
KEPT = "\n\t"
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def printable(text: str) -> str:
    """The text with every control and formatting character but newline and tab spelt out, such as `\\x1b` for escape: a
    terminal obeys them, and some turn the order of what follows."""
    return "".join(character if character.isprintable() or character in KEPT else _spelt(character) for character in text)


def one_line(text: str) -> str:
    """The text as one line of at most LINE characters, without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)[:LINE].strip()


def as_markdown(text: str) -> str:
    """The text as one line that a Markdown page shows as it is: neither HTML, nor links, nor pictures."""
    return MARKDOWN.sub(r"\\\1", html.escape(one_line(text), quote=False))


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
