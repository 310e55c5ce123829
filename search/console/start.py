"""Imported first by every command for its effect: while the rest is imported, Ctrl-C prints no traceback."""

from __future__ import annotations

import os
import sys

from search.console.interrupt import quiet_start


def open_standard_files() -> None:
    """Descriptors 0 to 2, where the caller has closed them: what is opened next would be taken for them, by children too."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


_spec = sys.modules["__main__"].__spec__
if _spec is not None and _spec.name.partition(".")[0] == "search":  # and not where a command's module is only imported
    quiet_start()
    open_standard_files()
