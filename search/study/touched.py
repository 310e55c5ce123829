"""Which parts of a program an edit touched, by their names, and with which words. What that means is said elsewhere.

A part is a function, a method, the rest of a class, or an assignment at module level. Its name is the one that it has in the
text: `schedule`, `GPT(nn.Module).forward` (bases say what a class is), `GPT(nn.Module)`, `MATRIX_LR`. What has no name
(imports, calls, the order of it all) is one part, REST. Comments, docstrings and formatting are in none.
"""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search.study import source

REST = ""
MOST_PARTS, MOST_WORDS = 200, 30  # on record of one edit: an LLM may write a whole file anew
NO_WORDS = {*keyword.kwlist, "self", "None", "True", "False"}

Touched = dict[str, list[str]]  # words by part


def touched(before: str, after: str) -> Touched:
    """The parts that differ between two texts; empty where the edit does nothing. Raises SyntaxError.

    The words of a part are the identifiers that came or went in its changed lines; where none did (a number changed), all of
    those lines. A constant with another value has none: its name says it.
    """
    old, new = _program(before), _program(after)
    found = {name: _words(old.parts.get(name, ""), new.parts.get(name, "")) for name in _different(old.parts, new.parts)}
    in_both = old.values.keys() & new.values.keys()
    found.update({name: [] for name in in_both if old.values[name] != new.values[name]})
    if not found and source.change(before, after).kind != "none":
        found[REST] = []  # the order of its parts
    return {name: found[name] for name in sorted(found)[:MOST_PARTS]}


def code_from(stock: str, text: str) -> dict[str, str]:
    """What a text's code is, as far as it differs from the stock's: a hash of each such part, empty where the part is gone.
    Constants that the stock has are not in it, others are, with their values. Raises SyntaxError."""
    old, new = _program(stock), _program(text)
    found = {name: _digest(new.parts[name]) if name in new.parts else "" for name in _different(old.parts, new.parts)}
    found.update({name: _digest(repr(value)) for name, value in new.values.items() if name not in old.values})
    return {name: found[name] for name in sorted(found)[:MOST_PARTS]}


@dataclass(frozen=True)
class _Program:
    """`parts`: the text of each, without the values of constants. `values`: of the constants."""

    parts: Mapping[str, str]
    values: Mapping[str, Any]


@functools.lru_cache(maxsize=64)  # a program has many children
def _program(text: str) -> _Program:
    found: dict[str, list[str]] = {}
    for name, node in _named(source.blanked(text).body):
        found.setdefault(name, []).append(ast.unparse(node))
    return _Program({name: "\n".join(texts) for name, texts in found.items()}, source.constants(text))


def _named(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        else:
            yield ", ".join(_targets(node)), node


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    name = f"{node.name}({', '.join(map(ast.unparse, node.bases))})" if node.bases else node.name
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    for method in methods:
        yield f"{name}.{method.name}", method
    node.body = [one for one in node.body if one not in methods]
    yield name, node


def _targets(node: ast.stmt) -> list[str]:
    """What an assignment names; nothing for other statements."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    inner = (one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target]))
    return [one.id for one in inner if isinstance(one, ast.Name)]


def _different(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _words(before: str, after: str) -> list[str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    went, came = (Counter(_identifiers(line[1:] for line in lines if line[:1] == sign)) for sign in "-+")
    words = (came - went) + (went - came) or came + went
    return sorted(words)[:MOST_WORDS]


def _identifiers(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from (word for word in re.findall(r"[A-Za-z_]\w*", line) if word not in NO_WORDS)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
