"""What identifies a program: a hash that is the same for two texts that differ only in parts without effect.

Reading a text of the stock's size takes some 10 ms, and resuming a study asks for the hash of every program again. So it is
worked out once per text, and a journal records it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from pathlib import Path

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what a text raises that has no fingerprint

_known: dict[str, str] = {}  # fingerprints by the hash of the text: some 300 bytes each


def fingerprint(text: str) -> str:
    """Raises SyntaxError, and ValueError or RecursionError for texts that `search.study.readable` refuses."""
    digest = text_hash(text)
    if digest not in _known:
        _known[digest] = hashlib.sha256(ast.dump(bare(text)).encode()).hexdigest()
    return _known[digest]


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(text: str) -> str | None:
    """The fingerprint, as a journal records it: with a seal. None for a text that has none."""
    try:
        return sealed(text_hash(text), fingerprint(text))
    except UNREADABLE:
        return None


def sealed(digest: str, found: str) -> str:
    """A fingerprint of the text with this hash. The seal fits no other, and no other version of this file or of Python."""
    seal = hashlib.sha256(f"{_method()} {digest} {found}".encode()).hexdigest()[:16]
    return f"{found} {seal}"


def recall(digest: str, record: object) -> None:
    """Take over what was recorded of the text with this hash. A record whose seal does not fit is ignored."""
    found = str(record).partition(" ")[0]
    if record == sealed(digest, found):
        _known.setdefault(digest, found)


def bare(text: str) -> ast.Module:
    """The syntax tree without parts that have no effect: comments, formatting, docstrings, other lone values, `pass`.
    For comparing and counting: a body may be empty. Raises SyntaxError."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, [statement for statement in value if not _is_idle(statement)])
    return tree


def _is_idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


@functools.cache
def _method() -> str:
    return hashlib.sha256(f"{sys.version_info[:2]}\n".encode() + Path(__file__).read_bytes()).hexdigest()
