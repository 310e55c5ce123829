"""Folders that are removed with their process: at once if it ends, at the start of the next one if it was killed."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from search.config.files import remove_tree


@contextmanager
def scratch(base: Path) -> Iterator[Path]:
    """A new folder in `base` that exists while this is open. Folders of killed processes are removed. Raises
    OSError."""
    base.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _locked(base):  # or what another one has just made would look left behind
            for left in base.iterdir():
                with suppress(BlockingIOError), _locked(left, fcntl.LOCK_NB):
                    remove_tree(left)
            folder = Path(tempfile.mkdtemp(dir=base))
            stack.enter_context(_locked(folder))
        stack.callback(remove_tree, folder)
        yield folder


@contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """While it is open, or its process lives, no other process has this. Raises BlockingIOError with LOCK_NB."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
