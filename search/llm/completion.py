"""Reads a server's answer as a chat completion. Anything else is reported in the server's own words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from search.llm.reply import Reply

LONGEST = 300  # characters of a server's words
MOST_TOKENS = 10**12  # of one reply; a larger count is none
NO_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}  # waiting does not help with these
THINKING = ("thinking", "reasoning")  # kinds of a message's parts
FAILED = "error"  # a finish reason by which OpenRouter passes on that a provider broke off


class Failure(Exception):
    """An answer that is not a chat completion.

    `status`: HTTP's, or what the body claims for itself; 200 for a body of no known kind; None if no answer came.
    `after`: seconds that the server asks to wait. `lasting`: waiting does not help, whatever the status.
    """

    def __init__(self, words: str, status: int | None = None, after: float | None = None, lasting: bool = False) -> None:
        super().__init__(words)
        self.status = status
        self.after = after
        self.lasting = lasting


def reply_of(body: str, model: str, seconds: float) -> Reply:
    """The reply in the body of an answer of HTTP status 200. `model`: what was asked for. Raises Failure."""
    answer = _json(body)
    if not isinstance(answer, dict) or answer.get("error"):
        raise failure_of(body, 200)
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if choice is None or not isinstance(message, dict) or choice.get("error") or choice.get("finish_reason") == FAILED:
        raise failure_of(json.dumps(choice) if isinstance(choice, dict) and choice.get("error") else body, 200)
    text, thought = _parts(message.get("content"))
    usage = answer.get("usage")
    return Reply(
        text=text,
        finish_reason=str(choice.get("finish_reason") or "unknown"),
        model=str(answer.get("model") or model),
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        tokens_cached=_count(_part(usage, "prompt_tokens_details"), "cached_tokens"),
        seconds=seconds,
        reasoning=_first_text(message, "reasoning_content", "reasoning") or thought,
        refusal=_first_text(message, "refusal"),
        tools=_tools(message),
        tokens_reasoning=_count(_part(usage, "completion_tokens_details"), "reasoning_tokens"),
        usd=_dollars(usage),
    )


def models_of(body: str) -> list[str]:
    """The names in a list of models. Raises Failure."""
    answer = _json(body)
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise failure_of(body, 200)
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]


def failure_of(body: str, status: int, after: float | None = None) -> Failure:
    """The failure that an answer describes if it is not a chat completion."""
    answer = _json(body)
    if isinstance(answer, list) and answer:  # so does Google
        answer = answer[0]
    if not isinstance(answer, dict):
        return Failure(_words_of_text(body), status, after)
    error = answer.get("error") or answer.get("detail") or answer.get("message")
    details = error if isinstance(error, dict) else {}
    words = details.get("message") or (error if isinstance(error, str) else "")
    if not words:
        words = _short(json.dumps(error)) if error else f"a body that is not a chat completion: {_short(body)}"
    code = details.get("code")
    if status == 200 and str(code).isdecimal() and 400 <= int(str(code)[:4]) < 600:
        status = int(str(code)[:4])
    quota = status in (200, 429) and not NO_QUOTA.isdisjoint({str(code), str(details.get("type"))})
    return Failure(_short(str(words)), status, after, lasting=quota)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What a Retry-After header asks for: seconds, or a date. None if there is none that can be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _json(body: str) -> Any:
    """The value of a JSON text; None for any other text."""
    try:
        return json.loads(body.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _words_of_text(body: str) -> str:
    plain = _short(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", body, flags=re.DOTALL | re.IGNORECASE))
    if not body.strip():
        return "an empty body"
    if body.lstrip().startswith("<"):
        return f"a web page: {plain}"
    if body.lstrip().startswith(("data:", "event:", ":")):
        return "an event stream instead of a whole reply"
    if body.lstrip().startswith(("{", "[")):
        return f"a body that is cut off, or not JSON: {plain}"
    return plain


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST]


def _parts(content: Any) -> tuple[str, str]:
    """The text of a message's content, and the thinking in it: one string, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    texts, thoughts = [], []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in THINKING:
            inner = part.get("thinking") or part.get("reasoning") or part.get("text")
            thoughts.append(_parts(inner)[0])
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "".join(texts), "".join(thoughts)


def _first_text(message: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := message.get(name), str) and value), "")


def _tools(message: dict[str, Any]) -> str:
    """Names of the tools that a message calls, in the present form and the old one."""
    calls = message.get("tool_calls")
    calls = [*(calls if isinstance(calls, list) else []), {"function": message.get("function_call")}]
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    return ", ".join(str(function.get("name")) for function in functions if isinstance(function, dict))


def _part(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _count(node: Any, name: str) -> int | None:
    value = _number(_part(node, name))
    return None if value is None else int(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return value


def _dollars(usage: Any) -> float | None:
    """As OpenRouter counts them. Under a provider's key of one's own, `cost` is OpenRouter's fee, and the provider's charge
    stands beside it (openrouter.ai/docs/use-cases/usage-accounting)."""
    cost = _number(_part(usage, "cost"))
    if cost is None or not _part(usage, "is_byok"):
        return cost
    charge = _number(_part(_part(usage, "cost_details"), "upstream_inference_cost"))
    return None if charge is None else cost + charge
