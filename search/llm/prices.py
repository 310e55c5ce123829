"""What replies cost. The prices are in conf/llm, as `price`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.llm.reply import Reply
from search.strategy import Cost
from search.study.budget import known_total

Price = Mapping[str, float | None] | str  # dollars per million tokens, for `input`, `cached` (a part of it) and `output`

TOKENS_PER_PRICE = 1_000_000  # prices are dollars for a million tokens


def cost_of(replies: Sequence[Reply], price: Price) -> Cost:
    """What replies cost together, for the record of a proposal."""
    return Cost(
        usd=known_total([dollars(reply, price) for reply in replies]),
        tokens_in=known_total([reply.tokens_in for reply in replies]),
        tokens_out=known_total([reply.tokens_out for reply in replies]),
        tokens_cached=known_total([reply.tokens_cached for reply in replies]),
        seconds=round(sum(reply.seconds for reply in replies), 3),
        calls=len(replies),
        tokens_reasoning=known_total([reply.tokens_reasoning for reply in replies]),
    )


def sum_of(costs: Sequence[Cost]) -> Cost:
    """What several conversations cost together."""
    return Cost(
        usd=known_total([cost.usd for cost in costs]),
        tokens_in=known_total([cost.tokens_in for cost in costs]),
        tokens_out=known_total([cost.tokens_out for cost in costs]),
        tokens_cached=known_total([cost.tokens_cached for cost in costs]),
        seconds=round(sum(cost.seconds for cost in costs), 3),
        calls=sum(cost.calls for cost in costs),
        tokens_reasoning=known_total([cost.tokens_reasoning for cost in costs]),
    )


def dollars(reply: Reply, price: Price) -> float | None:
    """What a reply cost by the server's own count, else by its tokens; None if the price or the counts are unknown."""
    if reply.usd is not None:
        return reply.usd
    if isinstance(price, str):  # REPORTED: by the server alone
        return None
    input_price, output_price = price["input"], price["output"]
    if input_price is None or output_price is None or reply.tokens_in is None or reply.tokens_out is None:
        return None
    cached_price = input_price if price["cached"] is None else price["cached"]
    cached = reply.tokens_cached or 0
    total = (reply.tokens_in - cached) * input_price + cached * cached_price + reply.tokens_out * output_price
    return total / TOKENS_PER_PRICE
