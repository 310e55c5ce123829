"""Locks that all users of a machine share, though they need not trust each other. They are in one folder that everybody
may write to, but where only the owner of a file (or of the folder) may remove it. Whatever somebody puts there, this
code follows no link and writes only to the folder. In the worst case two trials share a device.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from search.config.messages import UserError

VARIABLE = "FAIRTRIAL_LEASES"  # another folder for the locks, for tests and for machines with an odd /tmp
DEFAULT = "/tmp/fairtrial-leases"
FOR_ALL = 0o1777  # everybody makes files there, and only their owner can remove them
READABLE = 0o644  # a lock is taken by whoever can open its file


def lock(held: ExitStack, name: str) -> bool:
    """Take the lock of that name until `held` closes; the kernel frees it if this process dies. Returns False if
    another process has it. Raises UserError if the folder cannot be used."""
    path = place()
    try:
        folder = _open_folder(path)
        try:
            file = _open_file(folder, name)
        finally:
            os.close(folder)
        held.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unfit(path, f"{name} there: {error.strerror}" if error.filename == name else str(error.strerror)) from error
    return True


def place() -> Path:
    """The folder of the locks."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def _open_folder(path: Path) -> int:
    """The folder, made where it is missing. Raises OSError, and UserError where others could take locks away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # a mask is the whole process's, and other threads make files too
        mask = os.umask(0)  # the usual one would keep other users out
        try:
            path.mkdir(mode=FOR_ALL, exist_ok=True)
        finally:
            os.umask(mask)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    facts = os.fstat(folder)
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        if facts.st_uid != os.geteuid():
            os.close(folder)
            raise _unfit(path, f"it belongs to user {facts.st_uid}, and anybody may remove the files of others there")
        os.fchmod(folder, FOR_ALL)  # as earlier versions made it
    return folder


def _open_file(folder: int, name: str) -> int:
    """The lock's file, made where it is missing; opened for reading, since that is all that a lock needs. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Without O_CREAT first: Linux may refuse that for another user's file in a folder like this (protected_regular).
        file = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        try:
            file = os.open(name, flags | os.O_CREAT | os.O_EXCL, READABLE, dir_fd=folder)
            os.fchmod(file, READABLE)  # whatever the umask
        except FileExistsError:  # another process was faster
            file = os.open(name, flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "is not a plain file", name)
    return file


def _unfit(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: devices cannot be leased in this folder ({why}).\n"
        f"Ask its owner to remove it, or set {VARIABLE} to another folder, the same for all users of the machine"
    )
