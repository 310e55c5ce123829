"""Messages between the harness and the processes that run candidate code: JSON lines over a socket, with open files."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Sequence
from typing import Any

# Files in a process's own folder: the program, its trained weights, and what a scoring process answers (float32).
SOURCE, WEIGHTS, ANSWER = "train.py", "weights.pt", "output.bin"
CHANNEL_VARIABLE = "FAIRTRIAL_CHANNEL"  # holds the number of the inherited socket
LONGEST_MESSAGE = 65_536  # bytes; a longer line is refused, so that a candidate cannot fill the harness's memory
MOST_FILES = 8  # open files that may travel with one message
MOST_FACTS = 16  # names that a program may describe itself by
FACT_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")  # becomes the name of a tag or a metric
# Parts of PyTorch that it imports when a function first needs them, such as torch.utils.checkpoint, and that take long
# (1.2 s of processor time, and as much again where lookups are answered).
LATE_MODULES = ("torch._dynamo",)

Message = dict[str, Any]


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


class Channel:
    """One end of a stream socket. Both sides send `Message`s; the harness may attach open files to its own, and take one
    from the other side where it `expects_file`."""

    def __init__(self, connection: socket.socket, expects_file: bool = False) -> None:
        self.connection = connection
        self.closed = False
        self._file: int | None = None
        self._expects_file = expects_file
        self._unread = b""

    @classmethod
    def inherited(cls) -> Channel | None:
        """The channel that the harness left for this process, or None if this process was started by hand."""
        number = os.environ.get(CHANNEL_VARIABLE)
        if number is None:
            return None
        return cls(socket.socket(fileno=os.dup(int(number))))

    def fileno(self) -> int:
        return self.connection.fileno()

    def send(self, message: Message, files: Sequence[int] = ()) -> None:
        """Send a message, with open file descriptors if the receiver is to have them.

        Raises OSError if the other side is gone.
        """
        line = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(self.connection, [line], list(files)) if files else 0
        self.connection.sendall(line[sent:])

    def receive(self) -> tuple[Message, list[int]]:
        """Wait for the next message. Raises EOFError if the other side is gone. For candidate processes."""
        files: list[int] = []
        while b"\n" not in self._unread:
            data, descriptors, _, _ = socket.recv_fds(self.connection, LONGEST_MESSAGE, MOST_FILES)
            files.extend(descriptors)
            if not data:
                raise EOFError("the harness is gone")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return _parse(line), files

    def pending(self) -> list[Message]:
        """What has arrived by now, without waiting beyond the first byte. For the harness, after `select`.

        Sets `closed` where the other side is gone. Raises ProtocolError for anything that is not a message.
        """
        try:
            data = self._receive()
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > LONGEST_MESSAGE:
            raise ProtocolError(f"a message is longer than {LONGEST_MESSAGE} bytes")
        return [_parse(line) for line in lines]

    def _receive(self) -> bytes:
        if not self._expects_file:
            return self.connection.recv(LONGEST_MESSAGE)
        data, files, _, _ = socket.recv_fds(self.connection, LONGEST_MESSAGE, 1)
        self._expects_file = False  # it comes with the first message
        self._file = files[0] if files else None
        return data

    def take_file(self) -> int | None:
        """The open file that came, for the caller to close, or None."""
        file, self._file = self._file, None
        return file

    def close(self) -> None:
        if (file := self.take_file()) is not None:
            os.close(file)
        self.connection.close()


def _parse(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a message: {line[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("event"), str):
        raise ProtocolError(f"a message without an event: {line[:80]!r}")
    return message
