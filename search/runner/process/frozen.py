"""What no trial may change: the task's code, its configuration and its token files, checked around each trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from search.config.files import sha256
from search.config.messages import UserError
from search.config.places import CONF, ROOT
from search.data.tokens import Prepared

Signature = tuple[int, ...]


class Frozen:
    """Files by content. A check costs one look at each file's size, times and place: a program can set the time of change
    that others see, but not the one that the file system keeps of the file's own record. Only where these differ are
    contents read again.
    """

    def __init__(self, hashes: Mapping[Path, str]) -> None:
        """`hashes`: SHA-256 of what each file holds. Raises OSError if one cannot be read."""
        self._hashes = dict(hashes)
        self._signatures = {path: _signature(path) for path in hashes}

    def check(self) -> None:
        """Raise UserError with the name of a file that has changed."""
        for path, expected in self._hashes.items():
            try:
                signature = _signature(path)
                same = signature == self._signatures[path] or sha256(path) == expected
            except OSError as error:
                raise UserError(f"{path}: {_STOPPED} ({error.strerror}).\n{_REMEDY}") from error
            if not same:
                raise UserError(f"{path}: {_STOPPED}.\n{_REMEDY}")
            self._signatures[path] = signature


_STOPPED = "was changed while a study was using it, which stops the study"
_REMEDY = "Restore it, find out who changed it (with sandbox=none a candidate can), and run the same command again"


def frozen_files(prepared: Prepared) -> Frozen:
    """The task's code, as candidates' processes import it; the YAML of tasks and data sets; and the prepared text."""
    code = [ROOT / "search" / "__init__.py", *(ROOT / "search" / "task").glob("*.py")]
    settings = [path for group in ("task", "data") for path in (CONF / group).glob("*.yaml")]
    known = {prepared.folder / name: digest for name, digest in prepared.hashes.items()}
    return Frozen({**_hashes([*code, *settings, prepared.folder / "manifest.json"]), **known})


def _hashes(paths: Iterable[Path]) -> dict[Path, str]:
    return {path: sha256(path) for path in paths}


def _signature(path: Path) -> Signature:
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
