"""Reads what a coding agent's command line reports about itself in the JSON that it prints: one object, or one per
line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 20_000  # characters of its last words
COST = "total_cost_usd"


@dataclass(frozen=True)
class Report:
    """`words`: its last message. `failed`: it says itself that it failed. Counts and dollars are None if it does not
    say. `tokens_cached`: a part of `tokens_in`."""

    words: str
    failed: bool
    usd: float | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None


def report(output: str) -> Report:
    """Read what Claude Code (`--output-format json` or `stream-json`) or Codex (`exec --json`) has printed. Of another
    program's output the end counts as its last message, and dollars count if it prints `total_cost_usd`."""
    words, trouble, usd, usages = "", "", None, list[Mapping[str, Any]]()
    for line in output.split("\n"):
        for event in _events(line):
            kind, item = str(event.get("type")), event.get("item")
            usd = usd if dollars(event) is None else dollars(event)
            if kind == "result":  # Claude Code's last event
                words, usages = str(event.get("result") or ""), [_usage(event)]
                trouble = (words or kind) if event.get("is_error") else ""
            elif kind == "turn.completed":
                usages.append(_usage(event))
                trouble = ""  # errors before it, such as a lost connection, were overcome
            elif kind in ("turn.failed", "error"):
                trouble = json.dumps(event.get("error") or event.get("message"))
            elif kind == "item.completed" and isinstance(item, dict) and item.get("type") == "agent_message":
                words = str(item.get("text") or "")
    words = (trouble or words or output.strip())[-LONGEST:]
    return Report(words, bool(trouble), usd, *(_total(usages, names) for names in (INPUT, OUTPUT, CACHED)))


# Claude Code counts tokens that were read from a cache, or written to it, apart; Codex counts them as a part of the input.
INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
OUTPUT = ("output_tokens",)
CACHED = ("cache_read_input_tokens", "cached_input_tokens")


def dollars(event: Mapping[str, Any]) -> float | None:
    """What an event says that all has cost so far."""
    cost = event.get(COST)
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None


def spent(line: str) -> float | None:
    """The dollars that a line of output reports; None if it reports none."""
    known = [usd for event in _events(line) if (usd := dollars(event)) is not None]
    return known[-1] if known else None


def _events(line: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a line: one, or a list of them."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return
    yield from (event for event in (value if isinstance(value, list) else [value]) if isinstance(event, dict))


def _usage(event: Mapping[str, Any]) -> Mapping[str, Any]:
    usage = event.get("usage")
    return usage if isinstance(usage, dict) else {}


def _total(usages: list[Mapping[str, Any]], names: tuple[str, ...]) -> int | None:
    """The sum of these counts; None if there is none of them."""
    counts = [usage.get(name) for usage in usages for name in names]
    known = [count for count in counts if isinstance(count, int) and not isinstance(count, bool) and count >= 0]
    return sum(known) if known else None
