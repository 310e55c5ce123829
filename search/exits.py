"""How commands end: what is printed, and the exit code."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # the shell's own exit code after Ctrl-C


def failed(message: str) -> int:
    """Print what a user got wrong."""
    print(f"error: {message}", file=sys.stderr)
    return 1


def interrupted(message: str) -> int:
    """Print what is to be said after Ctrl-C."""
    print(message, file=sys.stderr)
    return INTERRUPTED
