"""Turns token counts into dollars. The prices stand in conf/llm, as `price`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.llm.reply import Reply

TOKENS_PER_PRICE = 1_000_000  # prices are dollars for a million tokens


def dollars(replies: Sequence[Reply], price: Mapping[str, float | None]) -> float | None:
    """What replies cost, or None where the price or the counts are unknown.

    `price`: dollars per million tokens, for `input`, `cached` (a part of the input) and `output`.
    """
    input_price, output_price = price["input"], price["output"]
    if input_price is None or output_price is None:
        return None
    cached_price = input_price if price["cached"] is None else price["cached"]
    total = 0.0
    for reply in replies:
        if reply.tokens_in is None or reply.tokens_out is None:
            return None
        cached = reply.tokens_cached or 0
        total += (reply.tokens_in - cached) * input_price + cached * cached_price + reply.tokens_out * output_price
    return total / TOKENS_PER_PRICE
