"""Numbers in words: one way for terminals, reports and pictures."""

from __future__ import annotations

from decimal import Decimal


def p_value(p: float | None) -> str:
    if p is None:
        return "p unknown"
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def two_digits(value: float) -> str:
    """Such as 0.00069 or 130: never with an exponent."""
    return f"{Decimal(f'{value:.2g}'):f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def dollars(usd: float) -> str:
    """Such as 12.30 or 0.0017: a call that was paid for is never 0.00."""
    return f"{usd:.2f}" if usd == 0 or usd >= 0.01 else two_digits(usd)


def duration(seconds: float) -> str:
    """Such as 4.2 s, 25 s, 12.5 min or 3.0 h."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


def studies(count: int) -> str:
    return plural(count, "study", "studies")
