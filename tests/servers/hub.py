"""A real HTTP server on loopback that serves a data set as the Hugging Face hub does, and misbehaves on request.

As there, asking for a file is answered with a redirect to another host that has the body (here `localhost`, where the hub
is `127.0.0.1`), and with the file's size, SHA-256 and commit in headers.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

REPOSITORY = "someone/texts"
PATH = f"/datasets/{REPOSITORY}/resolve/main/"


@dataclass
class Fault:
    """What goes wrong with one body. `status`: instead of it. `cut`: bytes after which the connection is closed. `flip`: a
    byte of it that is another. `length`: whether the body's length is told before it.
    `hang`: seconds after the cut before the connection ends."""

    status: int | None = None
    retry_after: str | None = None
    cut: int | None = None
    flip: int | None = None
    length: bool = True
    hang: float = 0.0


@dataclass
class Request:
    method: str
    path: str
    name: str
    range: str | None
    token: str | None
    agent: str


@dataclass
class HubServer:
    """`faults`: by file, what goes wrong with the next bodies. `refusals`: the same for what is asked before them."""

    files: dict[str, bytes]
    faults: dict[str, Iterator[Fault]] = field(default_factory=dict)
    refusals: dict[str, Iterator[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    checksums: bool = True
    url: str = ""
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def fail(self, name: str, *faults: Fault, for_ever: Fault | None = None) -> None:
        self.faults[name] = chain(faults, repeat(for_ever) if for_ever else ())

    def refuse(self, name: str, *faults: Fault) -> None:
        self.refusals[name] = iter(faults)

    def bodies(self, name: str) -> list[str | None]:
        """The ranges that were asked of a file's body, in order; None: all of it."""
        return [request.range for request in self.requests if request.path.startswith("/cdn/") and request.name == name]

    @property
    def body_names(self) -> list[str]:
        return sorted(request.name for request in self.requests if request.path.startswith("/cdn/"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may be killed here, or give up
            super().handle_error(request, client_address)


def _next(faults: Iterable[Fault]) -> Fault | None:
    return next(iter(faults), None)


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[HubServer]:
    hub = HubServer(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._resolve()

        def do_GET(self) -> None:
            if self.path.startswith("/cdn/"):
                self._body()
            else:
                self._resolve()

        def _note(self) -> str:
            name = self.path.rsplit("/", 1)[-1]
            headers = self.headers
            request = Request(
                self.command, self.path, name, headers["Range"], headers["Authorization"], headers["User-Agent"]
            )
            hub.requests.append(request)
            return name

        def _resolve(self) -> None:
            name = self._note()
            refusal = _next(hub.refusals.get(name, iter(())))
            if refusal is not None:
                self._empty(refusal.status or 500, {"Retry-After": refusal.retry_after} if refusal.retry_after else {})
            elif not self.path.startswith(PATH) or name not in hub.files:
                self._empty(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": "c" * 40})
            else:
                digest = hashlib.sha256(hub.files[name]).hexdigest() if hub.checksums else "some-etag"
                facts = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(hub.files[name]))}
                location = f"http://localhost:{hub.port}/cdn/{name}"
                self._empty(302, {"X-Repo-Commit": "c" * 40, "ETag": '"pointer"', "Location": location, **facts})

        def _body(self) -> None:
            name = self._note()
            fault = _next(hub.faults.get(name, iter(()))) or Fault()
            if fault.status is not None:
                self._empty(fault.status, {"Retry-After": fault.retry_after} if fault.retry_after else {})
                return
            body = bytearray(hub.files[name])
            if fault.flip is not None:
                body[fault.flip] ^= 1
            asked = self.headers["Range"]
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            self.send_response(206 if start else 200)
            if fault.length:
                self.send_header("Content-Length", str(len(body) - start))
            else:
                self.send_header("Connection", "close")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            end = len(body) if fault.cut is None else fault.cut
            self.wfile.write(body[start:end])
            self.wfile.flush()
            hub.closing.wait(fault.hang)
            self.close_connection = fault.cut is not None or not fault.length

        def _empty(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    hub.port = server.server_address[1]
    hub.url = f"http://127.0.0.1:{hub.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
