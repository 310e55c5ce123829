"""Room for shards and for token files, each on its folder's disk: looked at before hours are spent on filling it."""

from __future__ import annotations

import shutil
from pathlib import Path

from search.config.messages import UserError

GB = 1e9


def check_space(shards: Path, missing: int, tokens: Path, expected: float) -> None:
    """`missing`: bytes that come into the folder `shards`. `expected`: about as many come into the folder `tokens`.

    Raises UserError naming the disk that is too small and the key that moves its folder.
    """
    if missing and disk_of(shards) == disk_of(tokens):
        parts = f" ({missing / GB:.2f} for shards, about {expected / GB:.2f} for token files)"
        names, folders = "data.corpus.folder, cache", f"{shards} and {tokens}"
        _demand(names, folders, shards, missing + expected, parts, "data.corpus.folder= or cache=")
        return
    if missing:
        _demand("data.corpus.folder", str(shards), shards, missing, " for shards", "data.corpus.folder=")
    # By default the shards' folder is in the cache: it stays where it is only if it is named.
    both = f"data.corpus.folder={shards}, and cache="
    _demand("cache", str(tokens), tokens, expected, " for token files (an estimate)", both)


def disk_of(folder: Path) -> int:
    """The same number for all folders of one disk."""
    return folder.stat().st_dev


def _demand(names: str, folders: str, on_disk: Path, needed: float, what: str, keys: str) -> None:
    free = shutil.disk_usage(on_disk).free
    if free < needed:
        raise UserError(
            f"{names}: the disk of {folders} has {free / GB:.2f} GB free, and needs {needed / GB:.2f}{what};\n"
            f"free space, or set {keys} to a folder on another disk; nothing was fetched"
        )
