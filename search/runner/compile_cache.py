"""Compiled kernels: every trial starts with a copy of what the stock's training left, and nothing is written back.

Without one each trial compiles anew (half a minute on a GPU). With one that trials share, a candidate could leave weights or
notes there for the next one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

CACHE = "cache"  # in a trial's own folder; where its environment tells the compilers to write


class CompileCache:
    """The stock's cache, kept in `folder` for as long as the study is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy_to(self, trial: Path) -> None:
        """Give a trial's folder its copy. Raises OSError."""
        if self.folder.is_dir():
            shutil.copytree(self.folder, trial / CACHE, symlinks=True)

    def keep(self, trial: Path) -> None:
        """Take over what a finished training of the stock left in its folder. Raises OSError."""
        left = trial / CACHE
        if left.is_dir() and not left.is_symlink():
            unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(left, unfinished, symlinks=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            unfinished.rename(self.folder)
