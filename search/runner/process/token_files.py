"""Opens the files that a training process is handed, so that it cannot reopen them for writing.

An open file leads back to the file: through /proc/self/fd whoever owns a file opens it again, for writing too, also from
inside bubblewrap. So there the files are opened through a read-only mount, which every such way goes through as well
(measured: "Read-only file system"). Landlock refuses the second opening by itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from search.runner.process.sandbox import Bubblewrap, Sandbox

OPEN_AND_SEND = (
    "import os, socket, sys; "
    "socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b'!'], [os.open(path, os.O_RDONLY) for path in sys.argv[2:]])"
)


class TokenFiles:
    """Files held open for as long as this object lives. Raises OSError if one cannot be opened."""

    def __init__(self, paths: Sequence[Path], sandbox: Sandbox) -> None:
        self.paths = [path.resolve() for path in paths]
        if isinstance(sandbox, Bubblewrap):
            self._held = _open_through_read_only_mount(self.paths, sandbox)
        else:
            self._held = [os.open(path, os.O_RDONLY) for path in self.paths]

    def open(self) -> list[int]:
        """Descriptors of the files with a position of their own; the caller closes them."""
        opened = [os.open(f"/dev/fd/{held}", os.O_RDONLY) for held in self._held]
        for file in opened:
            os.lseek(file, 0, os.SEEK_SET)  # on a Mac it shares the position of the one that is held
        return opened

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())


def _open_through_read_only_mount(paths: Sequence[Path], sandbox: Bubblewrap) -> list[int]:
    for path in paths:
        path.open("rb").close()  # an error with the file's name, before a program says it in its own way
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", "-S", "-c", OPEN_AND_SEND, str(theirs.fileno()), *map(str, paths)]
        command = sandbox.read_only(command, paths)
        done = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"bubblewrap could not open {', '.join(map(str, paths))}: {done.stderr.strip()[-200:]}")
        _, descriptors, _, _ = socket.recv_fds(ours, 1, len(paths))
    return descriptors
