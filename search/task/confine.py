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

# Numbers of asm/unistd.h: x86-64, ARM64; None where there is no such call.
NUMBERS: dict[str, tuple[int | None, int | None]] = {
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
    "preadv2": (327, 286),  # this one tells what of a file is in memory, and so what an earlier process has read
    "connect": (42, 203),
    "socket": (41, 198),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "fadvise64": (221, 223),
    "mincore": (27, 232),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
}
ALWAYS = tuple(NUMBERS)[: tuple(NUMBERS).index("connect")]
ATTRIBUTES = tuple(NUMBERS)[tuple(NUMBERS).index("chmod") : tuple(NUMBERS).index("setsid")]  # of files
HARMLESS = ("fadvise64", "mincore")  # advice that need not be taken; as above, a channel between processes
# Second arguments that are refused: marks on files that outlive a process (linux/fcntl.h, linux/fs.h).
REFUSED_ARGUMENTS = {"fcntl": (1036, 1038), "ioctl": (0x40086602, 0x40046602, 0x401C5820)}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH of linux/audit.h
X32 = 0x40000000  # numbers from here on call the same functions in another way
AF_UNIX = 1

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
ALLOW, NOT_PERMITTED, NOTHING_DONE, KILL = 0x7FFF0000, 0x00050001, 0x00050000, 0x80000000  # linux/seccomp.h
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 4, 16, 24  # offsets in struct seccomp_data
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def confine() -> None:
    """Limit files, and refuse the system calls above, from here on and in all children. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = int(os.environ[FILE_BYTES_VARIABLE])
    largest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    refuse(ALWAYS)
    if sys.platform == "linux":
        _drop_capabilities()


def refuse(names: Sequence[str], ignored: Sequence[str] = ()) -> None:
    """Have the kernel refuse these system calls, and all sockets but local ones; and do nothing, but say that it did, for
    `ignored` ones. Elsewhere than on Linux, and on other processors than those of `MACHINES`, nothing happens.

    Raises OSError.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    program = _program(names, ignored, *MACHINES[platform.machine()])
    instructions = ctypes.create_string_buffer(program)
    # struct sock_fprog: a count of instructions of 8 bytes, and where they lie.
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


def _drop_capabilities() -> None:
    """What root may do beyond its own files: it stays root in name, as in many containers. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def _program(names: Sequence[str], ignored: Sequence[str], column: int, architecture: int) -> bytes:
    """The filter, in the kernel's classic BPF."""
    answers = [(name, NOT_PERMITTED) for name in names] + [(name, NOTHING_DONE) for name in (*ignored, *HARMLESS)]
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    for name, answer in answers:
        number = NUMBERS[name][column]
        if number is not None:
            lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]
    for name, values in REFUSED_ARGUMENTS.items():
        checks = [line for value in values for line in ((JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, NOT_PERMITTED))]
        number = NUMBERS[name][column]
        assert number is not None
        lines += [(JUMP_EQUAL, 0, len(checks) + 2, number), (LOAD, 0, 0, SECOND_ARGUMENT), *checks, (RETURN, 0, 0, ALLOW)]
    socket = NUMBERS["socket"][column]
    assert socket is not None
    lines += [
        (JUMP_EQUAL, 1, 0, socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
