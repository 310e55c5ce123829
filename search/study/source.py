"""Reads and sets the constants of a `train.py` text, compares two texts, and says what kind of change lies between them."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = "# fairtrial: fitted to task="  # first line of a text whose constants a task has set


class UnknownConstant(KeyError):
    """A name that the text does not define as an UPPER_CASE literal at module level."""


@dataclass(frozen=True)
class Change:
    """From one text to another. `kind`: none, constants, code or both. `constants`: name -> (before, after)."""

    kind: str
    constants: dict[str, tuple[Any, Any]]
    lines_added: int
    lines_removed: int


def constants(source: str) -> dict[str, Any]:
    """The UPPER_CASE literals at module level: the program's hyperparameters. Raises SyntaxError."""
    return {name: ast.literal_eval(value) for name, value in _literals(ast.parse(source)).items()}


def set_constants(source: str, values: Mapping[str, Any]) -> str:
    """The text with other values, everything else (comments too) as it was. Raises UnknownConstant, SyntaxError."""
    literals = _literals(ast.parse(source))
    for name in values:
        if name not in literals:
            raise UnknownConstant(name)
    lines = [line.encode() for line in source.split("\n")]  # ast counts columns in bytes
    for name in sorted(values, key=lambda name: (literals[name].lineno, literals[name].col_offset), reverse=True):
        node = literals[name]
        assert node.end_lineno is not None and node.end_col_offset is not None
        first, last = node.lineno - 1, node.end_lineno - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + _literal(values[name]).encode() + tail]
    return b"\n".join(lines).decode()


def fit_to_task(source: str, task: str, values: Mapping[str, Any]) -> str:
    """The stock of a task: the text with the task's constants, marked so that it is never fitted again.

    A text that carries the mark of this task is returned as it is, whatever its constants: it may be a winner that is
    to be run or searched further. Raises ValueError where the mark names another task, UnknownConstant, SyntaxError.
    """
    if is_fitted(source):
        fitted = source.partition("\n")[0].removeprefix(MARK).strip()
        if fitted != task:
            raise ValueError(f"it is fitted to task={fitted}; remove its first line to fit it to task={task}")
        return source
    return marked(set_constants(source, values), task) if values else source


def is_fitted(source: str) -> bool:
    """Whether the text carries the mark of a task."""
    return source.startswith(MARK)


def marked(source: str, task: str) -> str:
    """The text with the mark of a task, which an edit may have dropped."""
    return source if source.startswith(f"{MARK}{task}\n") else f"{MARK}{task}\n{source}"


def program_hash(source: str) -> str:
    """The same for two texts that differ in comments and formatting only. Raises SyntaxError."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()


def diff(before: str, after: str, name_before: str, name_after: str) -> str:
    """Unified diff of two texts; empty where they are equal."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name_before, name_after, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def change(before: str, after: str) -> Change:
    """What kind of change leads from one text to the other, from their syntax trees. Raises SyntaxError."""
    old, new = constants(before), constants(after)
    changed = {name: (old[name], new[name]) for name in old if name in new and old[name] != new[name]}
    code = _without_values(before) != _without_values(after)
    kind = {(False, False): "none", (True, False): "constants", (False, True): "code", (True, True): "both"}
    lines = [line[:1] for line in diff(before, after, "", "").splitlines()[2:]]
    return Change(kind[bool(changed), code], changed, lines.count("+"), lines.count("-"))


def _literals(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id.isupper() and _is_literal(value):
            found[target.id] = value
    return found


def _is_literal(node: ast.expr) -> bool:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(value, bool | int | float | str) or value is None


def _without_values(source: str) -> str:
    """The syntax tree with every constant's value blanked out."""
    tree = ast.parse(source)
    values = {id(value) for value in _literals(tree).values()}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and id(node.value) in values:
            node.value = ast.Constant(None)
    return ast.dump(tree)


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
