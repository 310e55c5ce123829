"""What commands say to a user, and how they end."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # the shell's own exit code after Ctrl-C
KEPT = "\n\t"


class UserError(Exception):
    """What a user can get wrong, in one or two lines that name the cause and the remedy. Shown without a traceback; the exit
    code is `code`."""

    code = 1


class NothingToDo(UserError):
    """What is asked for would change nothing. A script that gives several commands may go on."""

    code = 3


def failed(error: UserError) -> int:
    """Print what a user got wrong. Returns the exit code."""
    print(f"error: {printable(str(error))}", file=sys.stderr)
    return error.code


def interrupted(message: str) -> int:
    """Print what is to be said after Ctrl-C. Returns the exit code."""
    print(message, file=sys.stderr)
    return INTERRUPTED


def printable(text: str) -> str:
    """The text with every control and formatting character but newline and tab spelt out, such as `\\x1b` for escape: a
    terminal obeys them, and some turn the order of what follows. For text that a candidate, an LLM or a server wrote."""
    return "".join(character if character.isprintable() or character in KEPT else _spelt(character) for character in text)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
