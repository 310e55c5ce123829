"""System calls that candidates' processes may not make, or not in every way: one table, with a policy each.

They are useful to a cheat but not to training: other cores than the leased ones, other processes, messages for a later
process, and ways to see what an earlier process has read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Policy(Enum):
    """What the kernel answers."""

    REFUSED = auto()  # not permitted
    MISSING = auto()  # there is no such call: libraries then make an older one, which the filter can look into
    SKIPPED = auto()  # nothing is done, and success is said: for advice, and for what libraries do in passing
    UNHEARD = auto()  # as where nobody listens; under Landlock only, where other programs' files are in reach
    LOCAL_SKIPPED = auto()  # as SKIPPED, but under Landlock only, and for root, to whom the machine's device files belong
    SENDING = auto()  # as REFUSED, once the harness has been sent what it needs


@dataclass(frozen=True)
class Call:
    """Numbers of asm/unistd.h, None if there is no such call. `argument`: the policy concerns calls whose argument of
    that index has one of these `values` in the bits of `mask`, or none of them where they are `allowed` ones. `looks_up`: it
    follows a path or lists a folder, which a scoring process may not do once it has seen what is scored; or it asks for
    figures of the machine, which the harness then gives."""

    name: str
    x86_64: int | None
    aarch64: int | None
    policy: Policy | None = None
    argument: int | None = None
    values: tuple[int, ...] = ()
    allowed: bool = False
    looks_up: bool = False
    mask: int = 0xFFFFFFFF

    def number(self, machine: str) -> int | None:
        return self.x86_64 if machine == "x86_64" else self.aarch64


# Advice about memory that concerns the caller alone (linux/mman.h): normal, dontneed, free, dontfork, dofork, hugepage,
# nohugepage, dontdump, dodump, guard pages. The rest reads files into memory or puts them out of it.
HARMLESS_ADVICE = (0, 4, 8, 10, 11, 14, 15, 16, 17, 102, 103)
AF_UNIX = 1

# linux/sched.h: namespaces of its own, and a descriptor of the process.
NEW_NAMESPACES, CLONE_PIDFD = 0x7E020000, 0x1000
# What file systems can be asked about a file or told: where it lies, what of that is in memory, marks on it. The second byte
# of a number says whose it is: those of ext4 and of all, XFS, versions, btrfs, F2FS, namespaces.
FILE_SYSTEMS = (ord("f") << 8, ord("X") << 8, ord("v") << 8, 0x9400, 0xF500, 0xB700)

REFUSED, MISSING, SKIPPED, UNHEARD, LOCAL_SKIPPED, SENDING = Policy

OTHER_PROCESSES = (
    Call("ptrace", 101, 117, REFUSED),
    Call("process_vm_readv", 310, 270, REFUSED),
    Call("process_vm_writev", 311, 271, REFUSED),
    Call("process_madvise", 440, 440, REFUSED),
    Call("process_mrelease", 448, 448, REFUSED),
    Call("pidfd_getfd", 438, 438, REFUSED),
    Call("prctl", 157, 167, REFUSED, argument=0, values=(4, 36)),  # to be seen by nobody, to leave orphans: linux/prctl.h
    Call("rt_sigaction", 13, 134, SKIPPED, argument=0, values=(17,)),  # children that nobody waits for leave no times
    Call("kcmp", 312, 272, REFUSED),
    Call("move_pages", 279, 239, REFUSED),
    Call("migrate_pages", 256, 238, REFUSED),
    Call("mbind", 237, 235, SKIPPED),  # moves pages of files, which stay where they are then; elsewhere it is advice
    Call("prlimit64", 302, 261, REFUSED, argument=0, values=(0,), allowed=True),  # its own limits only
    Call("setpriority", 141, 140, SKIPPED),
    Call("ioprio_set", 251, 30, SKIPPED),
    Call("sched_setaffinity", 203, 122, SKIPPED),  # more cores than were leased
    Call("sched_setparam", 142, 118, SKIPPED),
    Call("sched_setscheduler", 144, 119, SKIPPED),
    Call("sched_setattr", 314, 274, SKIPPED),
)
# What outlives the process that makes it.
LEFT_BEHIND = (
    Call("shmget", 29, 194, REFUSED),
    Call("msgget", 68, 186, REFUSED),
    Call("semget", 64, 190, REFUSED),
    Call("mq_open", 240, 180, REFUSED),
    Call("mq_unlink", 241, 181, REFUSED),
    Call("add_key", 248, 217, REFUSED),
    Call("request_key", 249, 218, REFUSED),
    Call("keyctl", 250, 219, REFUSED),
    Call("fcntl", 72, 25, REFUSED, argument=1, values=(1036, 1038)),  # marks on files: linux/fcntl.h
    Call("ioctl", 16, 29, REFUSED, argument=1, mask=0xFF00, values=FILE_SYSTEMS),
)
# Numbers that the kernel counts on for the whole machine. A process can read those of what it makes.
COUNTERS = (
    Call("pidfd_open", 434, 434, REFUSED),  # its inode counts all processes
    Call("getsockopt", 55, 209, REFUSED, argument=2, values=(57, 71, 77)),  # cookies, a process: asm-generic/socket.h
    # To be sent credentials, a label, a descriptor of the process. The first gives a socket a name, and old kernels (5.15)
    # count those names. CUDA's driver asks for it before it looks for a server that is not there.
    Call("setsockopt", 54, 208, SKIPPED, argument=2, values=(16, 34, 76)),
    Call("setsid", 112, 157, SKIPPED),  # /proc/self/autogroup counts sessions; and one that leaves its group lives on
)
FREE_SPACE = (  # on a disk that others write to; some file systems free what was removed only later
    Call("statfs", 137, 43, REFUSED, looks_up=True),
    Call("fstatfs", 138, 44, REFUSED),
    Call("ustat", 136, None, REFUSED),
)
FIGURES = (Call("sysinfo", 99, 179, looks_up=True),)  # loads and free memory, which outlast who caused them
# What of a file is in memory tells what an earlier process has read.
PAGE_CACHE = (
    Call("cachestat", 451, 451, REFUSED),
    Call("preadv2", 327, 286, MISSING),
    Call("mincore", 27, 232, SKIPPED),
    Call("fadvise64", 221, 223, SKIPPED),
    Call("readahead", 187, 213, SKIPPED),
    Call("mlock", 149, 228, SKIPPED),  # how much is locked is a counter that everybody can read
    Call("mlock2", 325, 284, SKIPPED),
    Call("mlockall", 151, 230, SKIPPED),
    Call("madvise", 28, 233, SKIPPED, argument=2, values=HARMLESS_ADVICE, allowed=True),
)
# Ways past this filter, past the limits, or into the kernel.
WAYS_AROUND = (
    Call("io_uring_setup", 425, 425, REFUSED),  # it makes sockets
    Call("bpf", 321, 280, REFUSED),
    Call("perf_event_open", 298, 241, REFUSED),
    Call("userfaultfd", 323, 282, REFUSED),
    Call("memfd_secret", 447, 447, REFUSED),  # its memory is in no process's figures
    Call("unshare", 272, 97, REFUSED),
    Call("clone", 56, 220, REFUSED, argument=0, mask=NEW_NAMESPACES | CLONE_PIDFD, values=(0,), allowed=True),
    Call("clone3", 435, 435, MISSING),
    Call("setns", 308, 268, REFUSED),
    Call("chroot", 161, 51, REFUSED),
    Call("pivot_root", 155, 41, REFUSED),
    Call("mount", 165, 40, REFUSED),
    Call("umount2", 166, 39, REFUSED),
    Call("open_tree", 428, 428, REFUSED),
    Call("open_tree_attr", 467, 467, REFUSED),
    Call("move_mount", 429, 429, REFUSED),
    Call("mount_setattr", 442, 442, REFUSED),
    Call("fsopen", 430, 430, REFUSED),
    Call("fspick", 433, 433, REFUSED),
    Call("name_to_handle_at", 303, 264, REFUSED),
    Call("open_by_handle_at", 304, 265, REFUSED),
    Call("fanotify_init", 300, 262, REFUSED),
    Call("quotactl", 179, 60, REFUSED),
    Call("quotactl_fd", 443, 443, REFUSED),
    Call("syslog", 103, 116, REFUSED),
)
NETWORK = (
    Call("socket", 41, 198, REFUSED, argument=0, values=(AF_UNIX,), allowed=True),
    # Other programs' sockets in the file system. NVIDIA's libraries ask for servers that need not be there, and fail if told
    # that they may not (https://github.com/NVIDIA/OpenShell/pull/710).
    Call("connect", 42, 203, UNHEARD, looks_up=True),
    Call("bind", 49, 200, looks_up=True),
    # These two may name a socket in the file system, and send open files: what is on its way is in no process's figures.
    Call("sendmsg", 46, 211, SENDING),
    Call("sendmmsg", 307, 269, SENDING),
)
GROUPS = (  # a process that leaves its group would outlive the trial
    Call("setpgid", 109, 154, LOCAL_SKIPPED),
)
ATTRIBUTES = tuple(  # of files, which Landlock does not guard
    Call(name, x86_64, aarch64, LOCAL_SKIPPED, looks_up=True)
    for name, x86_64, aarch64 in (
        ("chmod", 90, None),
        ("fchmod", 91, 52),
        ("fchmodat", 268, 53),
        ("fchmodat2", 452, 452),
        ("chown", 92, None),
        ("fchown", 93, 55),
        ("lchown", 94, None),
        ("fchownat", 260, 54),
        ("utime", 132, None),
        ("utimes", 235, None),
        ("futimesat", 261, None),
        ("utimensat", 280, 88),
        ("setxattr", 188, 5),
        ("lsetxattr", 189, 6),
        ("fsetxattr", 190, 7),
        ("setxattrat", 463, 463),
        ("removexattr", 197, 14),
        ("lremovexattr", 198, 15),
        ("fremovexattr", 199, 16),
        ("removexattrat", 466, 466),
        ("file_setattr", 469, 469),
    )
)
LOOKUPS = tuple(
    Call(name, x86_64, aarch64, looks_up=True)
    for name, x86_64, aarch64 in (
        ("open", 2, None),
        ("openat", 257, 56),
        ("openat2", 437, 437),
        ("creat", 85, None),
        ("stat", 4, None),
        ("lstat", 6, None),
        ("newfstatat", 262, 79),
        ("statx", 332, 291),
        ("access", 21, None),
        ("faccessat", 269, 48),
        ("faccessat2", 439, 439),
        ("readlink", 89, None),
        ("readlinkat", 267, 78),
        ("getxattr", 191, 8),
        ("lgetxattr", 192, 9),
        ("getxattrat", 464, 464),
        ("listxattr", 194, 11),
        ("llistxattr", 195, 12),
        ("listxattrat", 465, 465),
        ("file_getattr", 468, 468),
        ("execve", 59, 221),
        ("execveat", 322, 281),
        ("uselib", 134, None),
        ("chdir", 80, 49),
        ("truncate", 76, 45),
        ("rename", 82, None),
        ("renameat", 264, 38),
        ("renameat2", 316, 276),
        ("mkdir", 83, None),
        ("mkdirat", 258, 34),
        ("rmdir", 84, None),
        ("link", 86, None),
        ("linkat", 265, 37),
        ("symlink", 88, None),
        ("symlinkat", 266, 36),
        ("unlink", 87, None),
        ("unlinkat", 263, 35),
        ("mknod", 133, None),
        ("mknodat", 259, 33),
        ("inotify_add_watch", 254, 27),
        # Listing an open folder sets the time of its last reading, which others see.
        ("getdents", 78, None),
        ("getdents64", 217, 61),
    )
)

CALLS = (
    *OTHER_PROCESSES,
    *LEFT_BEHIND,
    *COUNTERS,
    *FREE_SPACE,
    *FIGURES,
    *PAGE_CACHE,
    *WAYS_AROUND,
    *NETWORK,
    *GROUPS,
    *ATTRIBUTES,
    *LOOKUPS,
    # A datagram to a name in the file system; without a name it is how the harness is answered.
    Call("sendto", 44, 206, argument=4, values=(0,), allowed=True, looks_up=True),
)
