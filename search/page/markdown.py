"""Markdown from templates in which every value is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from search.page import text

PICTURES = "pictures"  # the folder beside the Markdown


class Raw(str):
    """Markdown, which needs no escape."""

    __slots__ = ()


def templates(folder: Path) -> Environment:
    """The templates in a folder. Their filters: `short` cuts, `begin` is for text at the beginning of a line, `verbatim` for
    code, `image` for a picture beside the Markdown, called as in `picture_file`."""
    found = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, finalize=_escaped, keep_trailing_newline=True
    )
    found.filters.update(
        short=text.short,
        begin=lambda value: Raw(text.line(value)),
        verbatim=lambda value: Raw(text.plain(value)),
        image=lambda picture: Raw(f"![{text.markdown(picture.alt)}]({picture_file(picture.name)})"),
    )
    return found


def picture_file(name: str) -> str:
    return f"{PICTURES}/{name}.png"


def _escaped(value: Any) -> str:
    return value if isinstance(value, Raw) else text.markdown(str(value))
