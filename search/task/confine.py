"""What a candidate's process gives up for good before any code of the candidate runs: system calls and resources.

On Linux (x86-64 and 64-bit ARM), in every sandbox. A filter of system calls (seccomp, https://docs.kernel.org/userspace-api/
seccomp_filter.html) answers "not permitted" to what training has no use for and a cheat has: other cores than the leased
ones, memory of other processes, messages left behind for a later process, and sockets of every kind but the local one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence

FILE_BYTES_VARIABLE = "FAIRTRIAL_FILE_BYTES"  # holds the size that no file of the process may exceed
OPEN_FILES = 4096

# Numbers of asm/unistd.h: x86-64, ARM64.
NUMBERS = {
    "sched_setaffinity": (203, 122),  # more cores than were leased
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "shmget": (29, 194),  # these three, message queues and keys outlive the process that makes them
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),  # it makes sockets past this filter
    "connect": (42, 203),
    "socket": (41, 198),
}
ALWAYS = tuple(name for name in NUMBERS if name not in ("connect", "socket"))
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH of linux/audit.h
X32 = 0x40000000  # numbers from here on call the same functions in another way
AF_UNIX = 1

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
ALLOW, NOT_PERMITTED, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # linux/seccomp.h
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def confine() -> None:
    """Limit files, and refuse the system calls above, from here on and in all children. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    largest = int(os.environ[FILE_BYTES_VARIABLE])
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    refuse(ALWAYS)


def refuse(names: Sequence[str]) -> None:
    """Have the kernel refuse these system calls, and all sockets but local ones. Elsewhere than on Linux, and on other
    processors than those of `MACHINES`, nothing happens. Raises OSError."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    program = _program(names, *MACHINES[platform.machine()])
    instructions = ctypes.create_string_buffer(program)
    # struct sock_fprog: a count of instructions of 8 bytes, and where they lie.
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


def _program(names: Sequence[str], column: int, architecture: int) -> bytes:
    """The filter, in the kernel's classic BPF."""
    refused = [NUMBERS[name][column] for name in names]
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    for number in refused:
        lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, NOT_PERMITTED)]
    lines += [
        (JUMP_EQUAL, 1, 0, NUMBERS["socket"][column]),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
