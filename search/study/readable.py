"""Checks that the harness can read a program. A program that cannot be compiled, compared or recorded is not
trained."""

from __future__ import annotations

import ast
import functools
import json
import warnings

from search.study import source

DEEPEST = 100  # levels of a syntax tree: what walks it needs several frames for each, of Python's 1,000
LONGEST_NAME = 200  # characters of a constant's name: MLflow takes 250


@functools.lru_cache(maxsize=256)  # asked where a reply is read, and again before the program is trained
def unreadable(program: str) -> str:
    """Why a program is not worth training, as the end of a sentence that begins with its name; empty if it is.

    Nothing is executed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"does not parse: {_told(error, program)}"
    if _is_deep(tree):
        return f"is nested more than {DEEPEST} levels deep"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "train.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"does not compile: {_told(error, program)}"
    try:
        source.program_hash(program)
        values = source.constants_in(tree)
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError, MemoryError) as error:
        return f"holds a value that cannot be recorded: {error}"
    longest = max(values, key=len, default="")
    return f"has a constant with a name of {len(longest)} characters" if len(longest) > LONGEST_NAME else ""


def _told(error: Exception, program: str) -> str:
    """An error of the compiler with the line that it is about."""
    if not isinstance(error, SyntaxError) or not error.lineno:
        return str(error) or type(error).__name__
    lines = program.splitlines()
    line = lines[error.lineno - 1].strip() if error.lineno <= len(lines) else ""
    return f"{error.msg} at line {error.lineno}: {line[:LONGEST_NAME]!r}"


def _is_deep(tree: ast.AST) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)
