"""Output that may be lost: a study continues when its terminal, pipe or connection goes away."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Lossy(io.FileIO):
    """A file descriptor that drops what cannot be written, since nobody is there to see it. Nothing is buffered."""

    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        size = len(view)
        with contextlib.suppress(OSError):
            while view:
                view = view[super().write(view) or len(view) :]
        return size


@contextlib.contextmanager
def lossy_output() -> Iterator[None]:
    """While it is open, standard output and standard error never raise OSError. What was put in their place stays."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _lossy(sys.stdout, sys.__stdout__), _lossy(sys.stderr, sys.__stderr__)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _lossy(stream: TextIO, plain: TextIO | None) -> TextIO:
    if stream is None or stream is not plain:
        return stream
    file = Lossy(stream.fileno(), "w", closefd=False)
    # As Python itself makes unbuffered output: a signal's handler may write too, and cannot come in between.
    return io.TextIOWrapper(file, encoding=stream.encoding, errors=stream.errors, write_through=True)
