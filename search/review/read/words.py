"""What became of a trial, from the word that a log has for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from search.config.messages import UserError


class Became(StrEnum):
    """`DISCARDED` has a score and was not kept; `FAILED` has none."""

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
    """Every known word. `own`: words of the user's, with commas between, which go before."""
    known = {word: became for became, words in KNOWN.items() for word in words.split()}
    given = {
        word.strip().lower(): became for became, words in own.items() for word in (words or "").split(",") if word.strip()
    }
    return known | given


def became_of(words: Sequence[str], known: Mapping[str, Became], where: str) -> list[Became]:
    """From each trial's cell or sentence, by its first word. `where`: what they are, for the message. Raises UserError that
    asks about the words that are not known."""
    found = [FIRST_WORD.match(word.lower()) for word in words]
    first = ["" if match is None else match[1] for match in found]
    unknown = list(dict.fromkeys(word or "(nothing)" for word in first if word not in known))
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UserError(
            f"{where}: was a trial kept or not, where it begins with {', '.join(unknown[:5])}{more}?\n"
            "Say so with keep_words=, discard_words= or failed_words= (several with commas), or give keep=records"
        )
    return [known[word] for word in first]
