"""A real HTTP server on loopback that speaks chat.completions, and misbehaves on request."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


@dataclass
class Answer:
    """One HTTP response. `hang`: seconds before it. `cut`: send only half of the body, as if it were whole. `reset`: close
    the connection by force in the middle of the body. `body`: in the place of a completion; an object is sent as JSON.
    `message`: what the completion's message holds beside or instead of `text`. `usage`: tokens of the prompt (by default, as
    of prompts of some 20,000 characters) and of the completion."""

    text: str = ""
    status: int = 200
    finish_reason: str = "stop"
    hang: float = 0.0
    cut: bool = False
    reset: bool = False
    error: str = "no"
    body: Any = None
    message: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    usage: tuple[int, int] = (10_000, 100)

    def payload(self) -> bytes:
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self._value() if self.body is None else self.body).encode()

    def _value(self) -> dict[str, Any]:
        if self.status != 200:
            return {"error": {"message": self.error, "type": "test", "code": None}}
        message = {"role": "assistant", "content": self.text, **self.message}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "test-model",
            "choices": [{"index": 0, "finish_reason": self.finish_reason, "message": message}],
            "usage": {
                "prompt_tokens": self.usage[0],
                "completion_tokens": self.usage[1],
                "total_tokens": sum(self.usage),
                "prompt_tokens_details": {"cached_tokens": min(400, self.usage[0])},
            },
        }


MODELS = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("test", "test-model", "org/model")]}


@dataclass
class Script:
    """What the server answers, in order, and what it was asked. The last answer is given again and again. `listing`: what it
    says to who asks for its models. `lists`: how often that was. `prefix`: below which its API lies; 404 elsewhere."""

    answers: list[Answer]
    listing: Answer = field(default_factory=lambda: Answer(body=MODELS))
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lists: int = 0
    prefix: str = "/v1"
    root: str = ""

    @property
    def url(self) -> str:
        return self.root + self.prefix

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.requests]

    def answer(self, path: str, request: dict[str, Any] | None) -> Answer:
        if path not in (f"{self.prefix}/models", f"{self.prefix}/chat/completions"):
            return Answer(status=404, error="there is nothing here")
        if request is None:
            self.lists += 1
            return self.listing
        self.requests.append(request)
        return self.reply(request["messages"])

    def reply(self, messages: list[dict[str, str]]) -> Answer:
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


S = TypeVar("S", bound=Script)


class Server(ThreadingHTTPServer):
    script: Script

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is part of the script; a mistake in a script is not."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, request: dict[str, Any] | None) -> None:
        if request is not None:
            self.server.script.keys.append(self.headers.get("Authorization", ""))
        answer = self.server.script.answer(self.path, request)
        time.sleep(answer.hang)
        payload = answer.payload()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload) // 2 if answer.cut else len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if answer.cut or answer.reset else payload)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def serve(
    *answers: Answer,
    port: int = 0,
    kind: type[S] = Script,  # type: ignore[assignment]
    **script: Any,
) -> Iterator[S]:
    """`port`: 0 for any that is free. `script`: fields of a `kind`."""
    server = Server(("127.0.0.1", port), Handler)
    played = server.script = kind(list(answers), **script, root=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeClock:
    """Time that passes only where somebody sleeps. `at`: seconds since it began."""

    at: float = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
