"""The one way out of a sandbox: a proxy on a socket in the file system that connects to named hosts and to no other."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import threading
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

TLS = 443
CONNECT_SECONDS = 30.0
BLOCK, LONGEST_LINE, MOST_LINES = 65_536, 8_192, 100


@contextlib.contextmanager
def proxy(path: Path, hosts: Collection[str]) -> Iterator[list[str]]:
    """Serve on the socket `path` while this is open. `hosts`: `name` for port 443, or `name:port`. Yields the places that
    were asked for and refused, as they come."""
    refused: list[str] = []
    allowed = {place_of(host) for host in hosts}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # the client has hung up, or asked for an invalid address
                _serve(self, allowed, refused)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        block_on_close = False  # a connection that is left open ends with its client

    with Server(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield refused
        finally:
            server.shutdown()


def place_of(host: str) -> tuple[str, int]:
    """The name and the port of `name` or `name:port`. Raises ValueError."""
    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.path or parts.query:
        raise ValueError(f"{host}: is not the name of a host")
    return parts.hostname, parts.port or TLS


def _serve(client: socketserver.StreamRequestHandler, allowed: Collection[tuple[str, int]], refused: list[str]) -> None:
    """Answer one request. Raises OSError, ValueError."""
    method, _, rest = client.rfile.readline(LONGEST_LINE).decode("latin-1").partition(" ")
    where = rest.partition(" ")[0]
    for _ in range(MOST_LINES):  # headers, of which none matters
        if client.rfile.readline(LONGEST_LINE).strip() == b"":
            break
    if method != "CONNECT" or place_of(where) not in allowed:
        refused.append(f"{method} {where}"[:200])
        client.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    try:
        server = _connected(*place_of(where))
    except OSError:
        client.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    with server:
        client.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_copy, args=(server, client.connection), daemon=True)
        back.start()
        _copy(client.connection, server)
        back.join()


def _connected(name: str, port: int) -> socket.socket:
    """A connection to a host, through the proxy that this machine's environment names for it, if any. Raises OSError."""
    further = urllib.request.getproxies().get("https")
    if not further or urllib.request.proxy_bypass(name):
        return _without_limit(socket.create_connection((name, port), CONNECT_SECONDS))
    parts = urlsplit(further if "://" in further else f"http://{further}")
    server = socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_SECONDS)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    known = f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n" if parts.username else ""
    server.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n{known}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n") and len(answer) < LONGEST_LINE and (byte := server.recv(1)):
        answer += byte
    if answer.split(b" ")[1:2] != [b"200"]:
        server.close()
        raise OSError(f"the proxy {parts.hostname} refuses {name}")
    return _without_limit(server)


def _without_limit(server: socket.socket) -> socket.socket:
    """A reply may take its time."""
    server.settimeout(None)
    return server


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Hand on all that comes, and then the end of it."""
    with contextlib.suppress(OSError):  # either side has hung up
        while data := source.recv(BLOCK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
