"""Reads and sets the constants of a `train.py` text, compares two texts, and says what kind of change lies between them."""

from __future__ import annotations

import ast
import difflib
import functools
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search.study.fingerprint import bare as bare
from search.study.fingerprint import fingerprint
from search.study.plain import plain

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
LARGEST, LARGEST_EXPONENT = 2**63, 64  # of numbers that are folded
program_hash = fingerprint  # as strategies know it
MARK = "# fairtrial: fitted to task="  # first line of a text whose constants a task has set


class UnknownConstant(KeyError):
    """A name that the text does not define as an UPPER_CASE constant at module level."""


@dataclass(frozen=True)
class Change:
    """From one text to another. `kind`: none, constants, code or both. `constants`: name -> (before, after)."""

    kind: str
    constants: dict[str, tuple[Any, Any]]
    lines_added: int
    lines_removed: int


def constants(source: str) -> dict[str, Any]:
    """The UPPER_CASE constants at module level: the program's hyperparameters. Arithmetic on numbers counts as its value, so
    that `2**18` and `262144` are one constant. Raises SyntaxError."""
    return {name: _value(node) for name, node in _read_constants(source).items()}


def constants_in(tree: ast.Module) -> dict[str, Any]:
    """The same, of a text's syntax tree."""
    return {name: _value(node) for name, node in _constants(tree).items()}


def set_constants(source: str, values: Mapping[str, Any]) -> str:
    """The text with other values, everything else (comments too) as it was. Raises UnknownConstant, SyntaxError, and
    ValueError for a value that cannot be recorded."""
    nodes = _read_constants(source)
    for name in values:
        if name not in nodes:
            raise UnknownConstant(name)
    lines = [line.encode() for line in source.split("\n")]  # ast counts columns in bytes
    for name in sorted(values, key=lambda name: (nodes[name].lineno, nodes[name].col_offset), reverse=True):
        node = nodes[name]
        assert node.end_lineno is not None and node.end_col_offset is not None
        first, last = node.lineno - 1, node.end_lineno - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + _literal(values[name]).encode() + tail]
    return b"\n".join(lines).decode()


def fit_to_task(source: str, task: str, values: Mapping[str, Any]) -> str:
    """The stock of a task: the text with the task's constants, marked so that it is never fitted again.

    A text that carries the mark of this task is returned as it is, whatever its constants: it may be a winner that is
    to be run or tuned further. Raises ValueError if the mark names another task, UnknownConstant, SyntaxError.
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


def diff(before: str, after: str, name_before: str, name_after: str) -> str:
    """Unified diff of two texts; empty if they are equal."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name_before, name_after, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def change(before: str, after: str) -> Change:
    """What kind of change leads from one text to the other, from their syntax trees. Raises SyntaxError."""
    old, new = constants(before), constants(after)
    changed = {name: (old[name], new[name]) for name in old if name in new and old[name] != new[name]}
    code = not _is_set(before, after, changed) and _without_values(before) != _without_values(after)
    kind = {(False, False): "none", (True, False): "constants", (False, True): "code", (True, True): "both"}
    lines = [line[:1] for line in diff(before, after, "", "").splitlines()[2:]]
    return Change(kind[bool(changed), code], changed, lines.count("+"), lines.count("-"))


def _is_set(before: str, after: str, changed: Mapping[str, tuple[Any, Any]]) -> bool:
    """Whether the text is what `set_constants` makes of the other: nearly every text of a tuner is, and comparing takes less
    time than reading."""
    try:
        return after == set_constants(before, {name: value for name, (_, value) in changed.items()})
    except ValueError:  # an infinite number
        return False


def blanked(source: str) -> ast.Module:
    """The bare syntax tree with every constant's value blanked out. Raises SyntaxError."""
    tree = bare(source)
    blank: ast.Module = _Blank({id(node) for node in _constants(tree).values()}).visit(tree)
    return blank


@functools.lru_cache(maxsize=64)  # a tuner sets the constants of one text all night
def _read_constants(source: str) -> Mapping[str, ast.expr]:
    return _constants(ast.parse(source))


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The expression that each constant is set to; `A, B = 0.9, 0.95` sets two."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            pairs = _pairs(node.targets[0], node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id.isupper() and _is_constant(value):
                found[target.id] = value
    return found


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _is_constant(node: ast.expr) -> bool:
    try:
        value = _value(node)
    except (ValueError, TypeError, SyntaxError, ArithmeticError, MemoryError, RecursionError):
        return False
    return isinstance(value, bool | int | float | str) or value is None


def _value(node: ast.expr) -> Any:
    """What a literal, or arithmetic on numbers, comes to. Raises ValueError for anything else, and for numbers too
    large to be a setting: folding them could take forever."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.BinOp):
        return -_value(node.operand)
    if not isinstance(node, ast.BinOp):
        return ast.literal_eval(node)
    combine, left, right = OPERATORS.get(type(node.op)), _value(node.left), _value(node.right)
    if combine is None or not all(type(side) in (int, float) and abs(side) < LARGEST for side in (left, right)):
        raise ValueError("not arithmetic on numbers")
    if isinstance(node.op, ast.Pow | ast.LShift) and abs(right) > LARGEST_EXPONENT:
        raise ValueError("too large")
    return combine(left, right)


@functools.lru_cache(maxsize=256)
def _without_values(source: str) -> str:
    return ast.dump(blanked(source))


class _Blank(ast.NodeTransformer):
    def __init__(self, nodes: set[int]) -> None:
        self.nodes = nodes

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.AnnAssign) and id(node.value) in self.nodes:  # an annotation does nothing
            return ast.copy_location(ast.Assign([node.target], ast.Constant(None)), node)
        return ast.Constant(None) if id(node) in self.nodes else self.generic_visit(node)


def _literal(value: Any) -> str:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
