"""Finds the answer in a reply, or says why there is none."""

from __future__ import annotations

import re

from search.llm.reply import Reply

# Reasoning inside of a text: <think> (DeepSeek, Qwen), [THINK] (Mistral), ◁think▷ (Kimi), channels (gpt-oss).
NAMES = "(?:think|thinking|thought|reasoning)"
QUOTE = "[\"'`]"  # a program may speak of a mark: between two quotes it is none
BEGIN, END = (f"(?<!{QUOTE})<{slash}{NAMES}>|<{slash}{NAMES}>(?!{QUOTE})" for slash in ("", "/"))
OPENING = re.compile(rf"{BEGIN}|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>", re.IGNORECASE)
CLOSING = re.compile(rf"{END}|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
TRUNCATED = ("length", "max_tokens", "max_output_tokens", "model_length")  # finish reasons of a reply that ran out of room
FILTERED = ("content_filter", "safety", "prohibited_content", "blocklist")  # and of one that a provider held back


def answer(text: str) -> str:
    """A reply's text without reasoning: what follows the last end mark of reasoning, up to reasoning that does not
    end."""
    closings = list(CLOSING.finditer(text))
    text = text[closings[-1].end() :] if closings else text
    opening = OPENING.search(text)
    return text[: opening.start()] if opening else text


def is_cut_off(reply: Reply) -> bool:
    return reply.finish_reason.lower() in TRUNCATED


def no_answer(reply: Reply) -> str:
    """Why a reply holds no answer that may be read, in words for its author; empty if it holds one."""
    said = answer(reply.text).strip()
    finish = reply.finish_reason
    reasoned = bool(reply.reasoning.strip() or reply.text.strip()) and not said
    if finish.lower() in FILTERED:
        return f"the provider's filter withheld the reply (finish reason '{finish}')"
    if is_cut_off(reply):
        while_reasoning = " while it was still reasoning" if reasoned else ""
        return f"the reply was cut off{while_reasoning} (finish reason '{finish}'); make it shorter, with fewer lines quoted"
    if said:
        return ""
    if reply.refusal.strip():
        return f"the model refused: {' '.join(reply.refusal.split())}"
    if reply.tools or finish.lower() in ("tool_calls", "function_call"):
        return f"the reply calls a tool ({reply.tools or 'unnamed'}), but there are no tools; reply in plain text"
    if reasoned:
        return "the reply is reasoning only, without an answer after it"
    return "the reply is empty"
