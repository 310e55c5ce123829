"""Messages of commands to the user, and their exit codes."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from itertools import accumulate
from pathlib import Path

from search.config.secrets import masked

INTERRUPTED = 130  # the shell's own exit code after Ctrl-C
KEPT = "\n\t"
SHORT = 60  # characters of a note


class UserError(Exception):
    """An error that a user can cause, in one or two lines that name the cause and the remedy; passwords in them are
    masked. It is shown without a traceback; the exit code is `code`."""

    code = 1

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class NothingToDo(UserError):
    """The command would change nothing. A script that runs several commands may continue."""

    code = 3


def failed(error: UserError) -> int:
    """Print an error. Returns the exit code."""
    print(f"error: {printable(str(error))}", file=sys.stderr)
    return error.code


def interrupted(message: str) -> int:
    """Print the message after Ctrl-C. Returns the exit code."""
    print(message, file=sys.stderr)
    return INTERRUPTED


def command(module: str, *words: str) -> str:
    """A Python command to paste into a shell. It names this Python if the shell's `python` is another one."""
    found = shutil.which("python")
    python = "python" if found is not None and Path(found) == Path(sys.executable) else sys.executable
    return shlex.join([python, "-m", module, *words])


def pasted_here(line: str) -> str:
    """A general `python -m MODULE ...`, adapted to this machine's shell: see `command`."""
    _, _, module, *words = shlex.split(line)
    return command(module, *words)


def printable(text: str) -> str:
    """The text with every control and formatting character except newline and tab escaped, such as `\\x1b`: a terminal
    obeys them, and some reverse the order of what follows. For text that a candidate, an LLM or a server wrote."""
    return "".join(character if character.isprintable() or character in KEPT else _spelt(character) for character in text)


def in_short(note: str, width: int = SHORT) -> str:
    """A note that is cut between words. For constants (`A=1, B=2, ...`) it says how many are left out."""
    parts = note.split(", ")
    if len(note) <= width or len(parts) == 1 or not all("=" in part for part in parts):
        return textwrap.shorten(note, width, placeholder=" ...") if " " in note else note[:width]
    more = " +{} more"
    fits = max(1, sum(end - 2 + len(more) <= width for end in accumulate(len(part) + 2 for part in parts)))
    return ", ".join(parts[:fits]) + more.format(len(parts) - fits)


def many(count: int, what: str, several: str = "") -> str:
    """Such as `1 trial` and `2 trials`. `several`: the plural, where it is not made with an s."""
    return f"{count} {what if count == 1 else several or what + 's'}"


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
