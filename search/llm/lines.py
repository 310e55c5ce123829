"""Compares lines of a reply with lines of a program."""

from __future__ import annotations

import difflib


def find(lines: list[str], wanted: list[str]) -> list[int]:
    """Where the wanted lines stand, one after the other."""
    size = len(wanted)
    return [start for start in range(len(lines) - size + 1) if lines[start : start + size] == wanted]


def squeezed(line: str) -> str:
    """The line without white space."""
    return "".join(line.split())


def squeezed_code(line: str) -> str:
    """The line without white space and without a comment behind code."""
    return squeezed(code(line))


def code(line: str) -> str:
    """The line without its trailing comment. A line that is a comment is left alone."""
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote and line[place - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character == "#":
            return line[:place].rstrip() or line
    return line


def with_comment(line: str, before: str) -> str:
    """The line with the comment of the one that it replaces, where it assigns to the same name and has none."""
    bare = code(before)
    assigned, _, value = line.partition("=")
    if bare == before or not value or assigned.strip() != bare.partition("=")[0].strip() or code(line) != line:
        return line
    return f"{line.rstrip()}{before[len(bare) :]}"


def indent(line: str) -> str:
    """The white space that the line begins with."""
    return line[: len(line) - len(line.lstrip())]


def shifted(lines: tuple[str, ...], before: str, after: str) -> list[str]:
    """Lines indented as the place they go to, where the reply quoted that place with another indentation."""
    if before == after:
        return list(lines)
    return [after + line.removeprefix(before) if line.strip() else line for line in lines]


def nearest(lines: list[str], wanted: list[str]) -> str:
    """The window of lines most like those that were searched for."""
    size = max(1, len(wanted))
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2("\n".join(squeezed(line) for line in wanted))
    best, best_ratio = 0, -1.0
    for start in range(max(1, len(lines) - size + 1)):
        matcher.set_seq1("\n".join(squeezed(line) for line in lines[start : start + size]))
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio and matcher.ratio() > best_ratio:
            best, best_ratio = start, matcher.ratio()
    return "\n".join(lines[best : best + size])
