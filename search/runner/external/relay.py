"""Inside a sandbox without a network: listens on loopback, hands each connection on to a socket in the file system, and runs
a command meanwhile.

    python -I relay.py SOCKET PORT command argument...

Imports nothing of ours: in the sandbox there is this file alone.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading

BLOCK = 65_536  # bytes


def relay(listener: socket.socket, path: str) -> None:
    """Serve forever."""
    while True:
        inside, _ = listener.accept()
        outside = socket.socket(socket.AF_UNIX)
        outside.connect(path)
        for source, target in ((inside, outside), (outside, inside)):
            threading.Thread(target=copy, args=(source, target), daemon=True).start()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Hand on all that comes, and then the end of it."""
    with contextlib.suppress(OSError):  # either side has hung up
        while data := source.recv(BLOCK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    place, port, *command = sys.argv[1:]
    server = socket.create_server(("127.0.0.1", int(port)))
    threading.Thread(target=relay, args=(server, place), daemon=True).start()
    code = subprocess.call(command)
    sys.exit(code if code >= 0 else 128 - code)
