"""Reads what a reply asks for before it proposes an edit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from search.llm import edits, fields

# At the beginning of a line, in the dress that models give it: **SHOW:** trial 7 log, - CHECK:
SHOW = re.compile(r"^[\s#>*_`-]*SHOW\b[\s*_`]*:(.*)$")
CHECK = re.compile(r"^[\s#>*_`-]*CHECK\b[\s*_`]*:")
TRIAL, KIND = re.compile(r"\d{1,9}"), re.compile(r"\b(log|diff)", re.IGNORECASE)
LOG, DIFF = "log", "diff"
LONGEST_LINE = 80  # characters that are quoted of a line that asks for nothing


@dataclass(frozen=True)
class Requests:
    """`shows`: trials, and what of each is to be shown. `unclear`: lines that ask for nothing that there is. `check`:
    whether the edit in the reply is a draft to be checked."""

    shows: tuple[tuple[int, str], ...]
    unclear: tuple[str, ...]
    check: bool


def requests(text: str) -> Requests | None:
    """What an answer asks for; None if it is to be read as a proposal: it asks for nothing, or holds an edit that is no
    draft."""
    lines = fields.beside_blocks(text)
    check = any(CHECK.match(line) for line in lines)
    asked = [found.group(1) for line in lines if (found := SHOW.match(line))]
    if not check and (not asked or edits.is_meant(text)):
        return None
    named = {words: list(_named(words)) for words in asked}
    shows = tuple(dict.fromkeys(show for found in named.values() for show in found))
    return Requests(shows, tuple(words.strip()[:LONGEST_LINE] for words, found in named.items() if not found), check)


def _named(words: str) -> list[tuple[int, str]]:
    kinds = [kind.lower() for kind in KIND.findall(words)]
    return [(int(number), kind) for number in TRIAL.findall(words) for kind in kinds]
