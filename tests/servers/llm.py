"""A real HTTP server on loopback that speaks chat.completions, and misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One HTTP response. `hang`: seconds before it. `cut`: send only half of the body, as if it were whole."""

    text: str = ""
    status: int = 200
    finish_reason: str = "stop"
    hang: float = 0.0
    cut: bool = False
    error: str = "no"


@dataclass
class Script:
    """What the server answers, in order, and what it was asked. The last answer is given again and again."""

    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.requests]


@contextmanager
def serve(*answers: Answer) -> Iterator[Script]:
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = script.answers[min(len(script.requests), len(script.answers) - 1)]
            script.requests.append(json.loads(body))
            script.keys.append(self.headers.get("Authorization", ""))
            time.sleep(answer.hang)
            payload = json.dumps(self._body(answer)).encode()
            if answer.cut:
                payload = payload[: len(payload) // 2]
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("retry-after-ms", "10")
            self.end_headers()
            self.wfile.write(payload)

        def _body(self, answer: Answer) -> dict[str, Any]:
            if answer.status != 200:
                return {"error": {"message": answer.error, "type": "test", "code": None}}
            return {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "test-model",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": answer.finish_reason,
                        "message": {"role": "assistant", "content": answer.text},
                    }
                ],
                "usage": {
                    "prompt_tokens": 1000,
                    "completion_tokens": 100,
                    "total_tokens": 1100,
                    "prompt_tokens_details": {"cached_tokens": 400},
                },
            }

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gave up waiting is part of the script."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
