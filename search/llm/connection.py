"""The way to a server that speaks OpenAI's API: one request, and the body of its answer or a Failure."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from search.config.messages import UserError
from search.llm.completion import Failure, failure_of, seconds_to_wait

if TYPE_CHECKING:
    import openai


# What of the environment decides how a connection is made.
ENVIRONMENT = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Connection:
    """`base_url`: None for OpenAI's own, or what OPENAI_BASE_URL says. `timeout_seconds`: of one request. Both functions
    return the body of an answer of HTTP status 200. They raise Failure for any other, and UserError where this machine's
    settings allow no connection."""

    base_url: str | None
    key: str
    timeout_seconds: float

    def complete(self, request: Mapping[str, Any]) -> str:
        """Ask for a chat completion."""

        def create(client: openai.OpenAI) -> str:
            call: Any = client.chat.completions.with_raw_response.create  # its overloads know no plain mapping
            return str(call(**request).http_response.text)

        return self._body(create)

    def models(self) -> str:
        """Ask for the list of models."""
        return self._body(lambda client: client.models.with_raw_response.list().http_response.text)

    def _body(self, send: Callable[[openai.OpenAI], str]) -> str:
        import openai

        with self._client() as client:
            try:
                return send(client)
            except openai.APIStatusError as error:
                answer = error.response
                raise failure_of(answer.text, answer.status_code, seconds_to_wait(answer.headers)) from None
            except (openai.OpenAIError, ValueError) as error:  # ValueError: an invalid header or text
                lasting = not isinstance(error, openai.APIConnectionError) or any(map(_distrusts, _causes(error)))
                raise Failure(f"{type(error).__name__}: {_root(error)}", lasting=lasting) from None

    def _client(self) -> openai.OpenAI:
        import openai

        try:
            return openai.OpenAI(
                api_key=self.key or "none", base_url=self.base_url, timeout=self.timeout_seconds, max_retries=0
            )
        except (openai.OpenAIError, ImportError, OSError, ValueError) as error:
            found = [name for name in os.environ if name.upper() in ENVIRONMENT] or ENVIRONMENT
            raise UserError(
                f"llm: no connection can be made ({_root(error)}); check {', '.join(found)} in the environment: "
                "unset what does not work, or fix what it names"
            ) from error


def is_address(text: str) -> bool:
    """Whether it is a web address with a host, and a port if any: one that paths can be put behind."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port or 1) > 0
            and not re.search("[?#]", text)
        )
    except ValueError:  # a port that is not a number
        return False


def _distrusts(error: BaseException) -> bool:
    """Whether the other side is not who it should be, or does not speak TLS: it will not be so later either."""
    plain = isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"
    return plain or isinstance(error, ssl.SSLCertVerificationError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: BaseException) -> str:
    """The words of the error that is behind an error."""
    *_, root = _causes(error)
    return " ".join((str(root) or str(error)).split())[:200] or type(root).__name__
