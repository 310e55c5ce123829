"""Makes the kernel answer system calls by a table (seccomp,
https://docs.kernel.org/userspace-api/seccomp_filter.html)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

from search.task.system_calls import CALLS, Call, Policy

# AUDIT_ARCH of linux/audit.h, and the number of seccomp itself, by machine.
MACHINES = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
X32 = 0x40000000  # numbers from here on call the same functions in another way

LOAD, AND, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # linux/bpf_common.h
ALLOW, NOT_PERMITTED, NOTHING_DONE, KILL, ASK = 0x7FFF0000, 0x00050001, 0x00050000, 0x80000000, 0x7FC00000  # linux/seccomp.h
NO_SUCH_CALL = 0x00050000 | errno.ENOSYS
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER = 1
SYNCHRONISED, LISTENED = 0x01, 0x01 | 0x10 | 0x08  # for all threads; and with somebody who is asked

ANSWERS = {
    Policy.REFUSED: NOT_PERMITTED,
    Policy.MISSING: NO_SUCH_CALL,
    Policy.SKIPPED: NOTHING_DONE,
    Policy.UNHEARD: 0x00050000 | errno.ECONNREFUSED,
    Policy.LOCAL_SKIPPED: NOTHING_DONE,
    Policy.SENDING: NOT_PERMITTED,
}
EVERYWHERE = (Policy.REFUSED, Policy.MISSING, Policy.SKIPPED)
FOR_ROOT = (*EVERYWHERE, Policy.LOCAL_SKIPPED)
UNDER_LANDLOCK = (*EVERYWHERE, Policy.UNHEARD, Policy.LOCAL_SKIPPED)

Line = tuple[int, int, int, int]


def available() -> bool:
    """Whether this machine's kernel and processor are ones that the table has numbers for."""
    return sys.platform == "linux" and platform.machine() in MACHINES


def apply(policies: Iterable[Policy]) -> None:
    """Answer as these policies say, from here on, in all threads and all children. Does nothing where `available` is False.
    Raises OSError."""
    wanted = set(policies)
    result = _install(
        [(call, ANSWERS[call.policy]) for call in CALLS if call.policy in wanted and call.policy], SYNCHRONISED
    )
    if result:
        raise OSError(f"seccomp: thread {result} could not be confined")


def supervise() -> int | None:
    """Let whoever holds the file descriptor that this returns answer every call that follows a path; None if `available`
    is False. Once all copies of it are closed, such calls fail. Needs Linux 5.7. Raises OSError."""
    return _install([(call, ASK) for call in CALLS if call.looks_up], LISTENED)


def _install(answers: list[tuple[Call, int]], flags: int) -> int | None:
    if not available():
        return None
    architecture, number = MACHINES[platform.machine()]
    program = _program(answers, platform.machine(), architecture)
    instructions = ctypes.create_string_buffer(program)
    # struct sock_fprog: a count of instructions of 8 bytes, and where they lie.
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    return _checked(libc.syscall(number, SET_MODE_FILTER, flags, header), "seccomp")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _program(answers: list[tuple[Call, int]], machine: str, architecture: int) -> bytes:
    """The filter, in the kernel's classic BPF."""
    lines: list[Line] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    for call, answer in answers:
        number = call.number(machine)
        if number is not None:
            body = _body(call, answer)
            lines += [(JUMP_EQUAL, 0, len(body), number), *body]
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _body(call: Call, answer: int) -> list[Line]:
    """What happens to a call of this number. The kernel takes numbers of 32 bits where values are refused; where only some
    are allowed the upper half must be empty too, since the argument may be a pointer."""
    if call.argument is None:
        return [(RETURN, 0, 0, answer)]
    low = ARGUMENTS + 8 * call.argument
    # Each value's check jumps over those that follow it, and over the answer for all others.
    checks: list[Line] = [(JUMP_EQUAL, len(call.values) - at, 0, value) for at, value in enumerate(call.values)]
    load = [(LOAD, 0, 0, low), (AND, 0, 0, call.mask)]
    if not call.allowed:
        return [*load, *checks, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, answer)]
    upper: list[Line] = [(LOAD, 0, 0, low + 4), (JUMP_EQUAL, 1, 0, 0), (RETURN, 0, 0, answer)]
    return [*upper, *load, *checks, (RETURN, 0, 0, answer), (RETURN, 0, 0, ALLOW)]
