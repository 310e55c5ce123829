"""A server that speaks OpenAI's chat.completions."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from search.config.messages import UserError
from search.config.secrets import masked
from search.llm.completion import Failure, models_of, reply_of
from search.llm.connection import Connection, is_address
from search.llm.cut import refuse_cut
from search.llm.reply import Messages, Refused, Reply, Unavailable

SHORTEST_KEY = 8  # characters
PASSING = (408, 409, 425, 429)  # of HTTP's 4xx; all 5xx pass too
BAD_PROMPT = (400, 413, 422)
NO_ENTRY = (401, 403)
GREETING = [{"role": "user", "content": "Reply with OK."}]
ANOTHER_KEY = "fix the key, the model or the server, and run the same command again"
ANOTHER_PROMPT = (
    "if the prompt is too long, give the server a longer context or use another model; otherwise correct llm.request or "
    "the model's name; then run the same command again"
)
OURS = ("messages", "model", "stream")  # of a request


class ChatClient:
    """A server that speaks OpenAI's chat.completions: OpenAI, Anthropic, OpenRouter, vLLM, Ollama, llama.cpp, LiteLLM.

    Prompts and replies are plain text. `base_url`: None for OpenAI's own. `api_key_env`: the environment variable that
    holds the key; None for a server that needs none. `request`: further keys, which are sent unchanged.
    `timeout_seconds`: of one call. `patience_minutes`: how long a server that gives no reply is asked again.
    """

    def __init__(
        self,
        model: str | None,
        base_url: str | None,
        api_key_env: str | None,
        request: Mapping[str, Any],
        timeout_seconds: float,
        patience_minutes: float,
    ) -> None:
        self._key = _key(api_key_env)
        if not model:
            raise UserError("llm.model: is not set; name a model of that server, as llm.model=...")
        if base_url is not None and not is_address(base_url):
            raise UserError(f"llm.base_url={masked(base_url)}: is not an address; give it as http://HOST:PORT/v1")
        if ours := sorted(set(OURS) & set(request)):
            raise UserError(f"llm.request.{ours[0]}: is set by the harness; leave it out (the model is llm.model)")
        if patience_minutes < 0:
            raise UserError(f"llm.patience_minutes={patience_minutes}: must be 0 or more")
        self.model = model
        self.base_url = base_url
        self.connection = Connection(base_url, self._key, timeout_seconds)
        self.patience_minutes = patience_minutes
        self.request = dict(request)

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        """Raises UserError also where the server has cut the messages."""
        with self._explained():
            reply = self._complete(messages, self.request)
        refuse_cut(messages, reply.tokens_in, self._where)
        return reply

    def check(self) -> None:
        """Ask for the list of models, which checks server and model. If that is inconclusive, ask for one token, which
        is not recorded. The list does not check the key: OpenRouter's is open to all, Anthropic's needs the key in
        another header."""
        with self._explained():
            try:
                known = models_of(self.connection.models())
            except Failure as failure:
                if failure.status is None or failure.lasting:
                    raise
                known = []  # not every server has a list
            if self.model in known and not self._key:
                return
            try:
                self._say_little()
            except Failure as failure:
                self._refuse_wrong_address(failure)
                raise self._with_names(failure, known) from None

    def _say_little(self) -> None:
        """Have the model say one token. Raises Failure."""
        try:
            self._complete(GREETING, {**self.request, "max_tokens": 1})
        except Failure as failure:
            if failure.status not in BAD_PROMPT:
                raise
            self._complete(GREETING, self.request)  # newer models refuse max_tokens

    def _refuse_wrong_address(self, failure: Failure) -> None:
        """Raises UserError if only the end of the address is wrong: no /v1, or a function's name behind it."""
        base = (self.base_url or "").rstrip("/")
        better = base.removesuffix("/chat/completions") if base.endswith("/chat/completions") else f"{base}/v1"
        if not base or failure.status in NO_ENTRY or re.search(r"/v\d\w*$", base):
            return
        if self._answers(replace(self.connection, base_url=better)):
            raise UserError(
                f"llm.base_url={masked(base)}: the server's API is elsewhere; give llm.base_url={masked(better)}"
            )

    def _answers(self, connection: Connection) -> bool:
        """Whether there is an API, even one that refuses us or our request."""
        try:
            models_of(connection.models())
        except Failure as failure:
            if failure.status in NO_ENTRY:
                return True
            try:
                reply_of(connection.complete({"model": self.model, "messages": GREETING, "max_tokens": 1}), self.model, 0.0)
            except Failure as other:
                return other.status in (*NO_ENTRY, *BAD_PROMPT)
        return True

    def _with_names(self, failure: Failure, known: list[str]) -> Failure:
        if not known:
            return failure
        words = f"{failure}; its models are {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}"
        return Failure(words, failure.status, failure.after, failure.lasting)

    def _complete(self, messages: Messages, more: Mapping[str, Any]) -> Reply:
        began = time.monotonic()
        request = {"model": self.model, "messages": list(messages), "stream": False, "extra_body": dict(more)}
        body = self.connection.complete(request)
        reply = reply_of(body, self.model, round(time.monotonic() - began, 3))
        return replace(
            reply,
            text=self._plain(reply.text),
            model=self._plain(reply.model),
            reasoning=self._plain(reply.reasoning),
            refusal=self._plain(reply.refusal),
            tools=self._plain(reply.tools),
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a Failure into what it means for a study: Unavailable, Refused or UserError."""
        try:
            yield
        except Failure as failure:
            status = failure.status
            words = self._plain(str(failure) if status in (None, 200) else f"{status}: {failure}")
            if not failure.lasting and (status is None or status in (200, *PASSING) or status >= 500):
                raise Unavailable(self._where, words, failure.after) from None
            kind, remedy = (Refused, ANOTHER_PROMPT) if status in BAD_PROMPT else (UserError, ANOTHER_KEY)
            raise kind(f"llm: {self._where} gave no reply ({words}).\nNothing is lost: {remedy}") from None

    @property
    def _where(self) -> str:
        return masked(self.base_url or os.environ.get("OPENAI_BASE_URL") or "OpenAI")

    def _plain(self, text: str) -> str:
        """Text that can be written, and never holds the key: servers may echo it, in errors above all. A key shorter than
        SHORTEST_KEY is a placeholder for a server that wants none, and could be a word of the text."""
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is not text
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()  # a line's end comes with it from a file
    if not key:
        raise UserError(
            f"llm: no key in the environment variable {variable}. Export it, or use a local server (llm=local "
            "llm.base_url=http://... llm.model=...),\nor see the agent's loop without any LLM: strategy=agent llm=playbook"
        )
    if not (key.isascii() and key.isprintable()):
        raise UserError(f"llm: the environment variable {variable} does not hold a valid key; copy it again")
    return key
