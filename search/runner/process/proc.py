"""What of /proc a candidate may see that concerns more than itself: an allow-list. Figures of the whole machine are not on
it: one process can move them, and a later one read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

PROC = Path("/proc")
# What programs and libraries ask for, and no trial can change.
SHOWN = ("self", "cpuinfo", "filesystems", "devices", "modules", "version", "driver", "mounts", "sys/vm")
# A trial can change this. A scoring process gets it from the harness, with figures that stay (`own_files`).
MEMORY = "meminfo"
# What else ordinary programs ask for. One that is not compared with another, process by process, may know it.
USUAL = (*SHOWN, MEMORY, "stat", "uptime", "loadavg", "vmstat", "diskstats", "swaps", "sys/kernel")


def names(supervised: bool) -> tuple[str, ...]:
    """The allow-list. `supervised`: see `Sandbox.wrap`."""
    return SHOWN if supervised else (*SHOWN, MEMORY)


def hidden(allowed: Collection[str]) -> Iterator[str]:
    """What makes bwrap put something empty over all but these names."""
    for path in _others(PROC, allowed):
        if path.is_dir():
            yield from ("--tmpfs", str(path), "--remount-ro", str(path))
        else:
            yield from ("--ro-bind", "/dev/null", str(path))


def own_only() -> Iterator[str]:
    """What makes bwrap leave /proc writable for the candidate's own processes alone. Root could change the machine without
    any capability; and bwrap's own first process, whose memory could be written, is under no filter."""
    for name in ("driver", "sys/vm"):
        if (PROC / name).is_dir():
            yield from ("--ro-bind", str(PROC / name), str(PROC / name))
    yield from ("--tmpfs", str(PROC / "1"), "--remount-ro", str(PROC / "1"))


def _others(folder: Path, allowed: Collection[str]) -> Iterator[Path]:
    """What is not on the list, beside what is. Processes are only those of the sandbox; links lead to something else."""
    kept = {path for name in allowed for path in (PROC / name, *(PROC / name).parents)}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.isdigit():
            continue
        if path not in kept:
            yield path
        elif path.is_dir() and str(path.relative_to(PROC)) not in allowed:
            yield from _others(path, allowed)
