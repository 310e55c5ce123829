"""Imported first by every command, for what it does: while the rest is imported, Ctrl-C is no traceback."""

from __future__ import annotations

import sys

from search.console.interrupt import quiet_start

_spec = sys.modules["__main__"].__spec__
if _spec is not None and _spec.name.partition(".")[0] == "search":  # and not where a command's module is only imported
    quiet_start()
