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


def shown(supervised: bool) -> Iterator[Path]:
    """The allow-list, for a sandbox that shows nothing else. `supervised`: see `Sandbox.wrap`."""
    yield from (PROC / name for name in _names(supervised))


def hidden(supervised: bool) -> Iterator[str]:
    """What makes bwrap put something empty over all the rest."""
    for path in _others(PROC, _names(supervised)):
        if path.is_dir():
            yield from ("--tmpfs", str(path), "--remount-ro", str(path))
        else:
            yield from ("--ro-bind", "/dev/null", str(path))


def _names(supervised: bool) -> tuple[str, ...]:
    return SHOWN if supervised else (*SHOWN, MEMORY)


def _others(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """What is not on the list, beside what is. Processes are only those of the sandbox; links lead to something else."""
    kept = {path for name in names for path in (PROC / name, *(PROC / name).parents)}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.isdigit():
            continue
        if path not in kept:
            yield path
        elif path.is_dir() and str(path.relative_to(PROC)) not in names:
            yield from _others(path, names)
