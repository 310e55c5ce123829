"""Text that is not ours, such as names and notes of candidates and LLMs, made harmless for whoever shows it."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 300  # letters of a text that is not ours
REPLACED = "\N{REPLACEMENT CHARACTER}"
# Whatever CommonMark, GitHub's tables, formulas and links could read as markup; a backslash is allowed before all of them.
SPECIAL = re.compile(r"[\\`*_\[\]<>|#~$&@!]|(?<=\w):(?=//)|(?<=www)\.")
AT_THE_START = re.compile(r"^(?:([-+=])|(\d+)([.)]))")


def plain(text: str) -> str:
    """A text in one line, without anything that could mislead a terminal or a reader: control and format characters
    (which can color, delete or reverse the text next to them) become a replacement character."""
    letters = (" " if letter in "\n\r\t" else letter for letter in text)
    return " ".join("".join(map(_harmless, letters)).split())


def verbatim(text: str) -> str:
    """Lines as they are, but without such characters."""
    return "\n".join("".join(_harmless(letter) for letter in line.expandtabs(4)) for line in text.splitlines())


def short(text: str) -> str:
    """The same, cut if it is too long."""
    text = plain(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def markdown(text: str) -> str:
    """Plain text that Markdown shows as it is, in the middle of a line."""
    return SPECIAL.sub(lambda found: f"\\{found.group()}", plain(text))


def line(text: str) -> str:
    """The same at the beginning of a line, where a dash would make a list."""
    return AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", markdown(text))


def _harmless(letter: str) -> str:
    return REPLACED if unicodedata.category(letter)[0] == "C" else letter
