"""Writing files so that a power failure or a full disk leaves the old one or the new one, never a part."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from search.config.messages import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SAVING_LOOKS, SAVING_SECONDS = 10, 0.1  # how often, and how far apart, a file is looked for that was there before
FORBIDDEN = (errno.EACCES, errno.EPERM)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: all of it is on the disk when it appears under its name, and the name is on the disk when
    this returns. Raises OSError."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(data)
    rename_durably(unfinished, path)


def rename_durably(path: Path, name: Path) -> None:
    """Give a file another name in its folder: a power failure takes back neither the contents nor, once this has returned,
    the name. Raises OSError."""
    sync(path)
    path.replace(name)
    sync(name.parent)


def read_edited(path: Path) -> str:
    """The text of a file that somebody may be saving at this moment: some editors take the old one away first. Raises
    OSError, and UnicodeDecodeError."""
    for _ in range(SAVING_LOOKS):
        with suppress(FileNotFoundError):
            return path.read_text(encoding="utf-8")
        time.sleep(SAVING_SECONDS)
    return path.read_text(encoding="utf-8")


def sync(path: Path) -> None:
    """Have a file's contents, or a folder's names, on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_tree(path: Path) -> None:
    """Remove a folder, if it is there, with all that is in it: also what its maker has locked, and folders nested deeper
    than Python can follow. Links are not followed. Raises OSError.
    """
    if not path.is_dir():
        return
    for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        done = subprocess.run([*command, "--", str(path)], capture_output=True, text=True, check=False)
    if path.exists():
        raise OSError(done.returncode, done.stderr.strip()[-200:], str(path))


def failed_file(error: OSError, folder: Path) -> UserError:
    """The message for an error of the system while a study works in `folder`: a disk that does not take more, or whatever
    else it is."""
    ours = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(folder)
    if error.errno in FULL or (ours and error.errno in FORBIDDEN):
        return unwritable(error.filename or folder, error)
    what = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}"
    return UserError(f"{what}, which ended the running trial.\nFix that, and run the same command again")


def unwritable(path: Path | str, error: OSError) -> UserError:
    """The message for a disk that is full or not writable, or for a name that is too long."""
    if error.errno == errno.ENAMETOOLONG:
        return UserError(f"{path}: cannot be written ({error.strerror}); use a shorter name")
    return UserError(
        f"{path}: cannot be written ({error.strerror}); free space or change permissions, and run the same command again"
    )
