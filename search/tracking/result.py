"""A study's result in three lines, at the top of its run's page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import mean, stdev
from typing import Any

from search.config.messages import in_short
from search.study.journal import Entry
from search.study.trial import Origin
from search.study.winner import winner_of
from search.tracking.words import as_markdown

RULE = "\n\n---\n\n"  # between the result and the description


def with_result(lines: Iterable[str], note: str) -> str:
    """A run's note with these lines on top, in place of those that it may have."""
    return "\n".join(f"- {line}" for line in lines) + RULE + note.rpartition(RULE)[2]


def result(header: Mapping[str, Any], entries: Iterable[Entry], over: bool) -> list[str]:
    """The best, its gain, and what to do next. `over`: whether the study has ended by itself."""
    entries = list(entries)
    name = f"experiment={header['config']['experiment']}"
    if header["role"] == "confirmation":
        done = sum(entry.trial.val_bpb is not None for entry in entries)
        words = f"**{done} of {len(entries)} training runs have a score.**"
        return [words, "Only the comparison says what they confirm.", f"Next: `python -m search.compare {name}`"]
    stocks = [entry.trial.val_bpb for entry in entries if entry.trial.origin is Origin.STOCK]
    winner = winner_of(entries)
    if winner is None or winner.score is None or not stocks or stocks[0] is None:
        return ["**No trial has a score.**", "The tags `status` and `reason` of its trials say why.", "Next: fix that"]
    best = f"**Best{'' if over else ' so far'}: val_bpb {winner.score:.4f}, trial {winner.number}** ({_edit(winner)})"
    gain = f"Gain over the stock ({stocks[0]:.4f}): {stocks[0] - winner.score:+.4f}"
    if header["config"]["strategy"]["role"] == "control":
        return [best, f"{gain}, which is luck: all its trials are the stock{_spread(entries)}", f"Next: {_others(name)}"]
    doubt = "unconfirmed: the best of many noisy scores looks better than it is"
    return [best, f"{gain}, {doubt}", f"Next: `python -m search.confirm {name}` trains it again on seeds that no study used"]


def _edit(winner: Entry) -> str:
    return "the stock itself" if winner.number == 0 else as_markdown(in_short(winner.trial.answer.note))


def _spread(entries: list[Entry]) -> str:
    scores = [entry.trial.val_bpb for entry in entries if entry.trial.val_bpb is not None]
    return f" (mean {mean(scores):.4f}, standard deviation {stdev(scores):.4f})" if len(scores) > 1 else ""


def _others(name: str) -> str:
    return f"studies to compare with it, such as `python -m search strategy=optuna {name}`"
