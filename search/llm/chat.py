"""A server that speaks OpenAI's chat.completions."""

from __future__ import annotations

import os
import time
from typing import Any

from search.config.messages import UserError
from search.llm.reply import Messages, Reply

SHORTEST_KEY = 8  # characters


class ChatClient:
    """A server that speaks OpenAI's chat.completions: OpenAI itself, vLLM, Ollama, llama.cpp, LiteLLM, OpenRouter.

    Plain text both ways. `base_url`: None for OpenAI's own. `api_key_env`: the environment variable that holds the key; None
    for a server that wants none. `temperature` and `max_tokens` are sent only where they are set: newer models refuse them.
    """

    def __init__(
        self,
        model: str | None,
        base_url: str | None,
        api_key_env: str | None,
        temperature: float | None,
        max_tokens: int | None,
        timeout_seconds: float,
        retries: int,
    ) -> None:
        self._key = _key(api_key_env)
        if not model:
            raise UserError("llm.model: is not set; name a model of that server, as llm.model=...")
        self.model = model
        self.base_url = base_url
        self.timeout_seconds = timeout_seconds
        self.retries = retries
        optional = {"temperature": temperature, "max_tokens": max_tokens}
        self.options = {name: value for name, value in optional.items() if value is not None}

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        import openai

        began = time.monotonic()
        try:
            with openai.OpenAI(
                api_key=self._key or "none", base_url=self.base_url, timeout=self.timeout_seconds, max_retries=self.retries
            ) as client:
                create: Any = client.chat.completions.create  # its overloads know no plain mapping
                answer = create(model=self.model, messages=list(messages), stream=False, **self.options)
            return self._reply(answer, round(time.monotonic() - began, 3))
        # ValueError: a body that is no JSON; the others: JSON that is no chat completion.
        except (openai.OpenAIError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise UserError(self._explain(error)) from None

    def _reply(self, answer: Any, seconds: float) -> Reply:
        """What of a chat completion counts. Raises TypeError, IndexError or AttributeError where it is none."""
        choice, usage = answer.choices[0], answer.usage
        details = usage.prompt_tokens_details if usage else None
        return Reply(
            text=self._plain(choice.message.content or ""),
            finish_reason=str(choice.finish_reason or "unknown"),
            model=self._plain(answer.model or self.model),
            tokens_in=usage.prompt_tokens if usage else None,
            tokens_out=usage.completion_tokens if usage else None,
            tokens_cached=details.cached_tokens if details else None,
            seconds=seconds,
        )

    def _explain(self, error: Exception) -> str:
        where = self.base_url or "OpenAI"
        words = " ".join(self._plain(str(error)).split())[:300] or type(error).__name__
        return (
            f"llm: {where} gave no reply after {self.retries} retries ({type(error).__name__}: {words}).\n"
            "Nothing is lost: mend the key, the model or the server, and give the same command again"
        )

    def _plain(self, text: str) -> str:
        """Text that can be written, and never holds the key: servers may echo it, in errors above all. A key shorter than
        SHORTEST_KEY is a placeholder for a server that wants none, and could be a word of the text."""
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise UserError(
            f"strategy=agent: no key in the environment variable {variable}. Export it, or use a local server (llm=local "
            "llm.base_url=http://... llm.model=...),\nor see the loop without any LLM: llm=playbook"
        )
    return key
