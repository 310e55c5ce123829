"""Compiled kernels: every trial starts with a copy of what the stock's training left, and nothing is written back.

Without a cache each trial compiles anew (half a minute on a GPU). In a shared cache, a candidate could leave weights or
notes for the next one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

TRITON_LISTS = "triton/*/__grp__*.json"
CACHE = "cache"  # in a trial's own folder; where its environment tells the compilers to write


class CompileCache:
    """The stock's cache, kept in `folder` as long as the study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy_to(self, trial: Path) -> None:
        """Give a trial's folder its copy. Raises OSError."""
        if self.folder.is_dir():
            _copy(self.folder, trial / CACHE)

    def keep(self, trial: Path) -> None:
        """Take over what a finished training run of the stock left in its folder. Raises OSError."""
        left = trial / CACHE
        if left.is_dir() and not left.is_symlink():
            unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy(left, unfinished, now_in=self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
            unfinished.rename(self.folder)


def _copy(source: Path, target: Path, now_in: Path | None = None) -> None:
    """Copy a cache. Triton's lists of files name the folder that these were made in, and a list that names files which are
    gone is a kernel compiled anew: in the copy they name the copy's, which will lie in `now_in`."""
    shutil.copytree(source, target, symlinks=True)
    for group in target.glob(TRITON_LISTS):
        if group.is_file() and not group.is_symlink():
            text = group.read_text(encoding="utf-8", errors="surrogateescape")
            moved = text.replace(f"{source}/", f"{now_in or target}/")
            group.write_text(moved, encoding="utf-8", errors="surrogateescape")
