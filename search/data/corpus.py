"""Where text comes from: FilesCorpus (a folder) and PythonCorpus (installed packages, the CPU tasks' text). A data set is a
class like these, or the one in `parquet`, and a YAML file in conf/data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from search.config.messages import UserError
from search.config.places import resolve
from search.data.progress import Say

SPLITS = ("train", "validation", "confirmation")


class Corpus(Protocol):
    def identity(self, say: Say) -> str:
        """Changes when the text may have changed; cheap, since it is asked at every start. Raises UserError."""
        ...

    def fetch(self, tokens: Path, say: Say) -> None:
        """Bring here what `documents` needs, and is not here yet. Asked only where the text is not prepared: its token
        files will come into the folder `tokens`. Raises UserError."""
        ...

    def documents(self, split: str) -> Iterator[str]:
        """The documents of one of the SPLITS, in a fixed order. No document is in two splits. Raises UserError."""
        ...


class FilesCorpus:
    """Any folder of UTF-8 text; each file is a document, and a hash of its relative path decides its split.

    `folder`: the folder. `patterns`: names that count, as in a shell. `held_out_percent`: share of the files that
    validation and confirmation get, each.
    """

    def __init__(self, folder: str, patterns: Sequence[str], held_out_percent: int) -> None:
        self.folder = resolve(folder)
        self.patterns = list(patterns)
        self.held_out_percent = held_out_percent

    def identity(self, say: Say) -> str:
        return _digest([str(self.held_out_percent), _listing(self.folder, self._paths())])

    def fetch(self, tokens: Path, say: Say) -> None:
        """Nothing to bring: the folder is the user's."""

    def documents(self, split: str) -> Iterator[str]:
        return _read(path for path in self._paths() if self._split(path) == split)

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            raise UserError(f"data.corpus.folder: {self.folder} is not a folder; name one that holds text files")
        paths = [path for path in _walk(self.folder) if any(fnmatch(path.name, pattern) for pattern in self.patterns)]
        if not paths:
            raise UserError(
                f"data.corpus.folder: {self.folder} holds no file named like {' or '.join(self.patterns)}; "
                "name another folder or set data.corpus.patterns"
            )
        return paths

    def _split(self, path: Path) -> str:
        digest = hashlib.sha256(path.relative_to(self.folder).as_posix().encode()).digest()
        bucket = int.from_bytes(digest[:8], "big") % 100
        if bucket < self.held_out_percent:
            return "validation"
        return "confirmation" if bucket < 2 * self.held_out_percent else "train"


class PythonCorpus:
    """Python source text that is on every machine: nothing to download.

    Each split names installed packages that training never imports and that its sandbox hides: text that the interpreter
    or PyTorch needs could be read, and trained on, before the clock starts.
    """

    def __init__(
        self, train: Sequence[str], validation: Sequence[str], confirmation: Sequence[str], exclude: Sequence[str]
    ) -> None:
        self.packages = {"train": list(train), "validation": list(validation), "confirmation": list(confirmation)}
        self.exclude = list(exclude)

    def identity(self, say: Say) -> str:
        """What the settings and the packages' versions make: installing a package again, or elsewhere, changes nothing."""
        owners = importlib.metadata.packages_distributions()
        lines = [f"exclude {self.exclude}"]
        for split in SPLITS:
            for name in self.packages[split]:
                package_folder(name)  # raises where it is not installed
                versions = sorted({f"{owner}={importlib.metadata.version(owner)}" for owner in owners.get(name, [])})
                if not versions:
                    raise UserError(f"data.corpus: package '{name}' has no version: no installed distribution names it")
                lines.append(f"{split} {name} {' '.join(versions)}")
        return _digest(lines)

    def fetch(self, tokens: Path, say: Say) -> None:
        """Nothing to bring: it came with the installation."""

    def documents(self, split: str) -> Iterator[str]:
        for name in self.packages[split]:
            yield from _read(self._paths(package_folder(name)))

    def _paths(self, root: Path) -> list[Path]:
        paths = [path for path in _walk(root) if path.suffix == ".py"]
        return [path for path in paths if not self._excluded(path.relative_to(root).as_posix())]

    def _excluded(self, relative: str) -> bool:
        return any(fnmatch(relative, pattern) or fnmatch(f"/{relative}", pattern) for pattern in self.exclude)


def package_folder(name: str) -> Path:
    """Where an installed package lies, found without importing it. Raises UserError."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"data.corpus: no package '{name}' is installed; install it or name another")
    return Path(spec.submodule_search_locations[0])


def _walk(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _read(paths: Iterable[Path]) -> Iterator[str]:
    """The files' text; one that is empty or is not UTF-8 is left out."""
    for path in paths:
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
        except OSError as error:
            raise UserError(f"data.corpus: {path} cannot be read ({error.strerror}); mend that, or move it away") from error
        if text:
            yield text


def _listing(root: Path, paths: Sequence[Path]) -> str:
    """Hash of names, sizes and times of change: reading every file at every start would take seconds."""
    lines = [f"{path.relative_to(root)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return _digest([str(root), *lines])


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
