"""Asks git what a stranger's repository contains. Runs nothing that the repository brings."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from search.config.files import unwritable
from search.config.messages import UserError

# A stranger's repository may name programs in its configuration. Reading a blob runs none of them, as long as nothing is
# fetched for it, which a partial clone would do. Checking out files, or `git archive`, would run its filters.
SAFE = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
SECONDS = 60
LINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
MOST_FILES, MOST_BYTES = 15_000, 2 * 2**30  # of a tree: a run that begins with more has no space left


@dataclass(frozen=True)
class File:
    """A file of a commit's tree. `mode`: as git writes it. `name`: the hash of its contents."""

    mode: str
    name: str
    size: int
    path: Path


def ask(repository: Path, *words: str, missing: bool = False, said: bytes = b"") -> bytes | None:
    """Returns what git prints. `said`: its standard input. `missing`: whether to return None for what git does not have.
    Raises UserError."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *words],
            input=said,
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **SAFE},
        )
    except FileNotFoundError as error:
        raise UserError("repository: git is not installed; install it") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"repository={repository}: git gave no answer in {SECONDS} s; copy it to a local disk") from error
    if done.returncode == 0:
        return done.stdout
    if missing:
        return None
    why = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    raise UserError(f"repository={repository}: cannot be read as a git repository ({why}); give the folder of a clone")


def commit_of(repository: Path, revision: str) -> str:
    """Returns the whole hash of a revision. Raises UserError."""
    return (ask(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") or b"").decode().strip()


def files_of(repository: Path, commit: str) -> list[File]:
    """Returns the files of the whole tree. Raises UserError if it is too large, or if one of its paths leads out of a
    folder."""
    listed = ask(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", commit) or b""
    files = [_file(line) for line in listed.split(b"\0") if line]
    size = sum(file.size for file in files)
    if len(files) > MOST_FILES or size > MOST_BYTES:
        raise UserError(
            f"repository: commit {commit[:10]} has {len(files):,} files ({size / 2**30:.1f} GB), which is too much"
        )
    for file in files:
        if file.path.is_absolute() or {"..", ".git"} & {part.lower() for part in file.path.parts}:
            raise UserError(f"repository: commit {commit[:10]} has the unsafe path {file.path}; give another clone")
    return files


def _file(line: bytes) -> File:
    facts, _, path = line.partition(b"\t")
    mode, _, name, size = facts.decode().split()
    return File(mode, name, 0 if size == "-" else int(size), Path(os.fsdecode(path)))


def write_tree(repository: Path, commit: str, folder: Path) -> None:
    """Writes the commit's whole tree into an empty folder; submodules stay empty. Raises UserError as `files_of` does, if
    contents are missing, and if the folder cannot be written."""
    files = [file for file in files_of(repository, commit) if file.mode != SUBMODULE]
    names = "".join(f"{file.name}\n" for file in files).encode()
    answer = memoryview(ask(repository, "cat-file", "--batch", said=names) or b"")
    try:
        links = []
        for file in files:
            contents, answer = _contents(answer, file, commit)
            if file.mode == LINK:  # last, so that nothing is written through one
                links.append((folder / file.path, os.fsdecode(bytes(contents))))
                continue
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents)
            place.chmod(0o755 if file.mode == EXECUTABLE else 0o644)
        for place, target in links:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error


def _contents(answer: memoryview, file: File, commit: str) -> tuple[memoryview, memoryview]:
    """Returns a file's contents, and what follows them in git's answer."""
    end = bytes(answer[:200]).find(b"\n")
    facts = bytes(answer[:end]).split()
    if len(facts) != 3 or facts[0].decode() != file.name:
        raise UserError(f"repository: {file.path} of commit {commit[:10]} is missing; give a complete clone")
    begin, size = end + 1, int(facts[2])
    return answer[begin : begin + size], answer[begin + size + 1 :]
