"""Where text comes from: FilesCorpus (a folder) and PythonCorpus (installed packages, the CPU tasks' text). A data set is a
class like these, or the one in `parquet`, and a YAML file in conf/data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from search.config.messages import UserError, printable
from search.config.places import resolve
from search.data.progress import Say

SPLITS = ("train", "validation", "confirmation")
SHOWN = 3  # names in a message


class Corpus(Protocol):
    def identity(self, say: Say) -> str:
        """A text that changes when the corpus may have changed. It is cheap, since it is computed at every start.
        Raises UserError."""
        ...

    def fetch(self, tokens: Path, say: Say) -> None:
        """Download what `documents` needs and is missing. Called only if the text is not prepared; its token files will
        be written into the folder `tokens`. Raises UserError."""
        ...

    def documents(self, split: str) -> Iterator[str]:
        """The documents of one of the SPLITS, in a fixed order. Raises UserError."""
        ...


class FilesCorpus:
    """Any folder of UTF-8 text; each file is a document, and a hash of its text decides its split: copies come together.

    `folder`: the folder. `patterns`: names that count, as in a shell. `held_out_percent`: share of the texts that
    validation and confirmation get, each. Raises UserError if one of these is invalid.
    """

    def __init__(self, folder: str, patterns: Sequence[str], held_out_percent: int) -> None:
        if not folder:
            raise UserError("data.corpus.folder: is empty; name a folder that holds text files")
        if not 0 < held_out_percent < 50:
            raise UserError(f"data.corpus.held_out_percent={held_out_percent}: must be 1 to 49, of each of two splits")
        self.folder = resolve(folder)
        self.patterns = names("patterns", patterns)
        self.held_out_percent = held_out_percent

    def identity(self, say: Say) -> str:
        return _digest(["split by text", str(self.held_out_percent), _listing(self.folder, self._paths())])

    def fetch(self, tokens: Path, say: Say) -> None:
        """Nothing to download: the folder is the user's. Reports files that are not text, and copies."""
        paths = self._paths()
        say_unreadable(paths, f"data.corpus.folder={self.folder}", say)
        texts = Counter(fingerprint(text) for text in _read(paths))
        copies = sum(texts.values()) - len(texts)
        if copies:
            say(f"data.corpus.folder: {copies} of {len(paths)} files are copies of others; copies of one text share a split")

    def documents(self, split: str) -> Iterator[str]:
        return (text for text in _read(self._paths()) if self._split(text) == split)

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            raise UserError(f"data.corpus.folder: {self.folder} is not a folder; name one that holds text files")
        paths = [path for path in _walk(self.folder) if any(fnmatch(path.name, pattern) for pattern in self.patterns)]
        if not paths:
            raise UserError(
                f"data.corpus.folder: {self.folder} holds no file that matches {' or '.join(self.patterns)}; "
                "name another folder or set data.corpus.patterns"
            )
        return paths

    def _split(self, text: str) -> str:
        bucket = int.from_bytes(fingerprint(text)[:8], "big") % 100
        if bucket < self.held_out_percent:
            return "validation"
        return "confirmation" if bucket < 2 * self.held_out_percent else "train"


class PythonCorpus:
    """Python source text that is on every machine: nothing to download.

    Each split names installed packages that training never imports and that its sandbox hides: text that the
    interpreter or PyTorch needs could be read, and trained on, before the clock starts. Raises UserError if they are
    not lists of names, or if one package is in two splits.
    """

    def __init__(
        self, train: Sequence[str], validation: Sequence[str], confirmation: Sequence[str], exclude: Sequence[str]
    ) -> None:
        given = {"train": train, "validation": validation, "confirmation": confirmation}
        self.packages = {split: names(split, packages) for split, packages in given.items()}
        self.exclude = names("exclude", exclude)
        everything = [name for split in SPLITS for name in self.packages[split]]
        if len(set(everything)) < len(everything):
            raise UserError("data.corpus.train, validation, confirmation: a package is named twice; name each in one split")

    def identity(self, say: Say) -> str:
        """Depends on the settings and the packages' versions: installing a package again, or elsewhere, changes
        nothing."""
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
        """Nothing to download: it came with the installation. Reports files that are not text."""
        for split in SPLITS:
            for name in self.packages[split]:
                say_unreadable(self._paths(package_folder(name)), f"data.corpus: package '{name}'", say)

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


def names(key: str, value: Sequence[str]) -> list[str]:
    """A setting that is a list of names. Raises UserError for a single name, whose letters would be taken as names."""
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise UserError(f"data.corpus.{key}={value}: must be a list of names, as ['{value}']")
    return list(value)


def fingerprint(text: str) -> bytes:
    """16 bytes that copies of a text share, those with other ends of lines or blank space around it, too."""
    return hashlib.blake2b(text.replace("\r\n", "\n").strip().encode(), digest_size=16).digest()


def say_unreadable(paths: Sequence[Path], where: str, say: Say) -> None:
    """Say which files are left out because they are not UTF-8. Raises UserError if nothing else is there."""
    unreadable = [path for path in paths if _text(path) is None]
    if not unreadable:
        return
    some = ", ".join(printable(path.name) for path in unreadable[:SHOWN]) + (", ..." if len(unreadable) > SHOWN else "")
    said = f"{where}: {len(unreadable)} of {len(paths)} files are not UTF-8 ({some})"
    if not any(_read(paths)):
        raise UserError(f"{said}, and no other holds text;\nconvert them, as iconv -f UTF-16 -t UTF-8 does")
    say(f"{said}, and are left out")


def _walk(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _read(paths: Iterable[Path]) -> Iterator[str]:
    """The files' text; one that is empty or is not UTF-8 is left out."""
    return filter(None, map(_text, paths))


def _text(path: Path) -> str | None:
    """A file's text; None if it is not UTF-8. Raises UserError."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise UserError(f"data.corpus: {path} cannot be read ({error.strerror}); fix that, or move it away") from error


def _listing(root: Path, paths: Sequence[Path]) -> str:
    """Hash of names, sizes and times of change: reading every file at every start would take seconds."""
    lines = [f"{path.relative_to(root)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return _digest([str(root), *lines])


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()  # names of files may be no UTF-8
