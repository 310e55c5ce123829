"""Users and passwords inside of addresses: what is written, published or shown never holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

HIDDEN = "***"
# As SQLAlchemy reads an address, a password may hold everything but an @; a user alone ends at the first slash. An
# environment's proxies need no scheme.
IN_AN_ADDRESS = re.compile(r"(?<=://)(?:[^\s:/@?#]*:[^\s@]*|[^\s/@?#]+)@")
WITHOUT_SCHEME = re.compile(r"(?<![^\s'\"(=,])[\w.%+-]+:[^\s/@:]+@(?=[\w\[])")
IN_A_QUERY = re.compile(
    r"(?i)(?<=[?&])((?:user|password|passwd|pwd|token|secret|(?:api|access)_?key|sslpassword)=)[^&\s'\"#]+"
)


def masked(text: str) -> str:
    """The text with `***` in place of every user and password of an address, be they before its host or in its query."""
    text = IN_AN_ADDRESS.sub(f"{HIDDEN}@", text)
    text = WITHOUT_SCHEME.sub(f"{HIDDEN}@", text)
    return IN_A_QUERY.sub(rf"\1{HIDDEN}", text)


def all_masked(node: T) -> T:
    """Nested mappings and sequences with every text in them masked."""
    found: Any = node
    if isinstance(node, str):
        found = masked(node)
    elif isinstance(node, Mapping):
        found = {key: all_masked(value) for key, value in node.items()}
    elif isinstance(node, list | tuple):
        found = type(node)(all_masked(value) for value in node)
    return found
