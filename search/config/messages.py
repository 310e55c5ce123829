"""What commands say to a user, and how they end."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from search.config.secrets import masked

INTERRUPTED = 130  # the shell's own exit code after Ctrl-C
KEPT = "\n\t"


class UserError(Exception):
    """What a user can get wrong, in one or two lines that name the cause and the remedy; passwords in them are masked. Shown
    without a traceback; the exit code is `code`."""

    code = 1

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


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


def command(module: str, *words: str) -> str:
    """A command of Python's to be pasted into a shell: with this very Python, where that is not the shell's own."""
    found = shutil.which("python")
    python = "python" if found is not None and Path(found) == Path(sys.executable) else sys.executable
    return shlex.join([python, "-m", module, *words])


def printable(text: str) -> str:
    """The text with every control and formatting character but newline and tab spelt out, such as `\\x1b` for escape: a
    terminal obeys them, and some turn the order of what follows. For text that a candidate, an LLM or a server wrote."""
    return "".join(character if character.isprintable() or character in KEPT else _spelt(character) for character in text)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
