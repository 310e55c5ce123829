"""The marks of an edit, and why a reply is not one."""

from __future__ import annotations

SEARCH, DIVIDER, REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
FORMAT = (
    f"An edit is a line {SEARCH}, the lines to find, a line {DIVIDER}, the new lines, a line {REPLACE}; or the whole file "
    "in a fence"
)


class EditError(Exception):
    """Why a reply does not give a new program, in words for its author."""
