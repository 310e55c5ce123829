"""Runs a command under Landlock, the kernel's own access control for processes that want less than their user may:

    python -m search.runner.process.landlock HARNESS r/usr r/lib w/tmp/here -- command argument...

HARNESS: the number of the process that it ends with. `r`: may be read and executed, with everything below; `w`: may be
written too. All other contents are refused, and TCP where the kernel can (6.7 or later). See
https://docs.kernel.org/userspace-api/landlock.html; the numbers are of linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from pathlib import Path

from search.runner.process.keeper import stay_as_parent
from search.task import seccomp

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
PR_SET_NO_NEW_PRIVS = 38
VERSION_FLAG = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
ALL_V1 = (1 << 13) - 1  # the above, and removing and making of every kind of file
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15  # since versions 2, 3 and 5
TCP = 0b11  # bind and connect, since version 4
SCOPED = 0b11  # abstract sockets and signals, since version 6
READ = EXECUTE | READ_FILE | READ_DIR
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # of what can be granted on something not a folder


def version() -> int:
    """Landlock's version in this kernel; 0 if there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG))


def restrict(read: list[Path], write: list[Path]) -> None:
    """Restrict this process, and what it becomes, for good. Raises OSError if the kernel refuses."""
    number = version()
    handled = ALL_V1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        handled |= right if number >= since else 0
    network = TCP if number >= 4 else 0
    scoped = SCOPED if number >= 6 else 0
    attributes = struct.pack("QQQ", handled, network, scoped)
    size = 24 if number >= 6 else 16 if number >= 4 else 8
    libc = _libc()
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0), "create_ruleset")
    # Names may be listed everywhere: the interpreter lists the folders that it imports from.
    for paths, rights in (([Path("/")], READ_DIR), (read, READ), (write, handled)):
        for path in paths:
            if path.exists():
                _allow(libc, ruleset, path, rights & handled)
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "restrict_self")
    os.close(ruleset)


def confine_further() -> None:
    """What Landlock knows nothing of: other programs' sockets in the file system, attributes of files, and leaving the
    process group, without which everything ends with the trial."""
    seccomp.apply(seccomp.UNDER_LANDLOCK)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), f"add_rule {path}")
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"landlock {what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    split = sys.argv.index("--")
    harness, grants, command = int(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1 :]
    stay_as_parent(harness)
    confine_further()
    restrict(
        [Path(grant[1:]) for grant in grants if grant[0] == "r"], [Path(grant[1:]) for grant in grants if grant[0] == "w"]
    )
    os.execv(command[0], command)
