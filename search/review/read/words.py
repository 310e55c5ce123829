"""Finds out what became of a trial, from the word that the log uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from search.config.messages import UserError


class Became(StrEnum):
    """What became of a trial. A `DISCARDED` one has a score and was not kept; a `FAILED` one has no score."""

    KEPT = "kept"
    DISCARDED = "discarded"
    FAILED = "failed"


# Words such as "success" or "done" are left out: they may only say that it ran.
KNOWN = {
    Became.KEPT: "keep kept keeping accept accepted adopt adopted baseline improved merged best",
    Became.DISCARDED: "discard discarded reject rejected revert reverted drop dropped worse neutral no checks_failed",
    Became.FAILED: "crash crashed fail failed error oom out_of_memory timeout timed_out diverged nan blocked invalid skip "
    "skipped aborted killed hung",
}
FIRST_WORD = re.compile(r"[^\w]*(\w+)")


def meanings(own: Mapping[Became, str | None]) -> dict[str, Became]:
    """Returns every known word with its meaning. `own`: the user's words, separated by commas, which take precedence."""
    known = {word: became for became, words in KNOWN.items() for word in words.split()}
    given = {
        word.strip().lower(): became for became, words in own.items() for word in (words or "").split(",") if word.strip()
    }
    return known | given


def became_of(words: Sequence[str], known: Mapping[str, Became], where: str) -> list[Became]:
    """Says what became of each trial, by the first word of its cell. `where`: the column, for the message. Raises a
    UserError that asks about unknown words."""
    found = [FIRST_WORD.match(word.lower()) for word in words]
    first = ["" if match is None else match[1] for match in found]
    unknown = list(dict.fromkeys(word or "(nothing)" for word in first if word not in known))
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UserError(
            f"{where}: was a trial kept if this begins with {', '.join(unknown[:5])}{more}?\n"
            "Say so with keep_words=, discard_words= or failed_words= (separate words by commas), or give keep=records"
        )
    return [known[word] for word in first]
