"""Takes system calls and resources from a candidate's process for good, before any code of the candidate runs."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys

from search.task import seccomp

FILE_BYTES_VARIABLE = "FAIRTRIAL_FILE_BYTES"  # holds the size that no file of the process may exceed
OPEN_FILES = 4096
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h


def confine() -> None:
    """Limit files, refuse system calls, and drop capabilities, from here on and in all children. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = int(os.environ[FILE_BYTES_VARIABLE])
    largest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    _keep_orphans()
    seccomp.apply(seccomp.FOR_ROOT if os.getuid() == 0 else seccomp.EVERYWHERE)
    if sys.platform == "linux":
        _drop_capabilities()


def _keep_orphans() -> None:
    """What descendants of a process spend is known only while they live, or to the process that waited for them. So
    none may vanish: orphans become this process's children, and the end of a child is never ignored."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _drop_capabilities() -> None:
    """What root may do beyond its own files: it stays root in name, as in many containers. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
