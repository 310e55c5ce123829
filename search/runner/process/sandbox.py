"""What a candidate's process can see and reach: an allow-list that is enforced by bubblewrap, by Landlock or not at
all."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from search.config.messages import UserError
from search.config.places import ROOT
from search.runner.device.leases import Device
from search.runner.process import landlock, proc, sysfs

# Distributions that training imports, where they are installed; what they require comes along.
NEEDED = ("torch", "numpy", "flash-attn-3")
# Of the system: programs, libraries, and what a compiler reads. Not all of /usr: what else lies there may be anybody's.
SYSTEM = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"),
    *("/usr/bin", "/usr/sbin", "/usr/include", "/usr/lib32", "/usr/lib64", "/usr/libexec/gcc"),
    *("/usr/local/bin", "/usr/local/include", "/usr/local/lib"),
)
LIBRARIES = ("*-linux-gnu*", "*.so*", "gcc*", "python3*", "locale", "nvidia*", "cuda*")  # in /usr/lib
# Links to the folder of a version, and that folder. Kubernetes puts the driver's libraries into /usr/local/nvidia. In WSL
# they lie among all drivers of Windows.
TOOLKITS = ("/usr/local/cuda*", "/usr/local/nvidia", "/opt/rocm*", "/usr/lib/wsl/lib", "/usr/lib/wsl/drivers/nv*")
# Python packages of the system: not needed, and they may hold text that is scored.
HIDDEN_NAMES = ("site-packages", "dist-packages")
UNUSED = ("test", "idlelib", "turtledemo")  # beside them: parts of the interpreter that are mostly text
DEVICE_FILES = Path("/dev")
GPU_DEVICES = {"cuda": ("nvidia*", "dxg", "dri"), "rocm": ("kfd", "dri")}  # device files by kind of device
WORKING_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
TEMPORARY_BYTES, SHARED_BYTES = 64 * 2**20, 2**28  # of /tmp and /dev/shm, which bubblewrap makes in memory


class Sandbox(Protocol):
    name: str

    def wrap(self, command: list[str], folder: Path, device: Device, supervised: bool = True) -> list[str]:
        """The command that runs `command` with `folder` as the only place it may write to. `supervised`: the harness answers
        its calls (`search.runner.process.lookups`). Otherwise, with a GPU, it may write what the kernel shows of itself in
        /proc: CUDA's driver names its threads there, or fails."""
        ...


class Bubblewrap:
    """Namespaces of its own: no network, no other processes, and a file system that holds the allow-list only."""

    name = "bubblewrap"

    def wrap(self, command: list[str], folder: Path, device: Device, supervised: bool = True) -> list[str]:
        machine = sysfs.shown(device.kind in GPU_DEVICES)
        wrapped = [*namespaces(knows_sizes()), *mounts(visible()), *mounts(machine), *device_mounts(device)]
        wrapped += proc.hidden(proc.names(supervised))
        if elsewhere := packages_elsewhere():
            wrapped += ["--setenv", "PYTHONPATH", ":".join([str(ROOT), *elsewhere])]
        # Temporary files lie in its folder, by a short name: PyTorch makes sockets there, and names of those are short.
        wrapped += ["--symlink", str(folder), "/tmp/own", "--setenv", "TMPDIR", "/tmp/own"]
        # Last: the root, which bwrap makes in memory, is writable until then. In /proc a process could write what the kernel
        # has noted about pages that it shares with others.
        wrapped += ["--bind", str(folder), str(folder), "--remount-ro", "/", "--chdir", str(folder)]
        writes = not supervised and device.kind in GPU_DEVICES
        wrapped += proc.own_only() if writes else ["--remount-ro", "/proc"]
        return [*wrapped, "--", *command]

    def read_only(self, command: list[str], paths: Sequence[Path]) -> list[str]:
        """The command that runs `command` with these paths, too, mounted read-only."""
        return [*namespaces(sized=False), *mounts([*visible(), *paths]), "--", *command]


class Landlock:
    """The kernel refuses what is not on the allow-list, and every socket to the outside. Weaker: names of files can be
    listed everywhere, and other processes can be seen. There is no /dev/shm, and so no
    multiprocessing: a scoring process could leave a note there for the next one. Setting a file's attributes does nothing,
    and no process leaves its group."""

    name = "landlock"

    def wrap(self, command: list[str], folder: Path, device: Device, supervised: bool = True) -> list[str]:
        # A rule holds for what a link leads to: /lib would give all of /usr/lib.
        read = [path for path in visible() if not path.is_symlink() or path in _shown()]
        read += [*(proc.PROC / name for name in proc.names(supervised)), *sysfs.shown(device.kind in GPU_DEVICES)]
        write = [folder, *map(Path, WORKING_DEVICES), *gpu_devices(device)]
        write += [] if supervised or device.kind not in GPU_DEVICES else [proc.PROC / "self"]
        arguments = [f"r{path}" for path in read] + [f"w{path}" for path in write]
        # The names of hidden packages can be listed, and importing one is then an error that nobody expects. So
        # site-packages is left out (-S), and folders of links to what is shown take its place.
        path = [ROOT]
        for number, packages in enumerate(_packages().values()):
            path.append(folder / "packages" / str(number))
            path[-1].mkdir(parents=True, exist_ok=True)
            for package in packages:
                (path[-1] / package.name).symlink_to(package)
        # Compiling in several processes takes semaphores, which lie in /dev/shm.
        changed = [f"PYTHONPATH={':'.join(map(str, path))}", "TORCHINDUCTOR_COMPILE_THREADS=1"]
        inside = ["/usr/bin/env", *changed, command[0], "-S", *command[1:]]
        return [sys.executable, "-m", "search.runner.process.landlock", str(os.getpid()), *arguments, "--", *inside]


class Unprotected:
    """No sandbox: a candidate can read and write whatever the user can."""

    name = "none"

    def wrap(self, command: list[str], folder: Path, device: Device, supervised: bool = True) -> list[str]:
        if sys.platform != "linux":
            return command
        return [sys.executable, "-S", "-m", "search.runner.process.keeper", str(os.getpid()), *command]


def choose(name: str, device: str) -> Sandbox:
    """`auto`: the strongest that works here, for a task's `device`. Raises UserError if the requested sandbox does not
    work."""
    if name == "none":
        return Unprotected()
    if name not in ("auto", Bubblewrap.name, Landlock.name):
        raise UserError(f"sandbox={name}: choose auto, {Bubblewrap.name}, {Landlock.name} or none")
    if not any(package.name == "torch" for package in _shown()):
        raise UserError(
            f"torch: {sys.executable} finds no installation that sandbox={name} could show to training programs.\n"
            "Install it with pip, not in editable mode, or use sandbox=none (unprotected)"
        )
    # Triton, which compiles for GPUs, renames files from one folder to another; the first version refuses all of that.
    enough = landlock.version() >= (1 if device == "cpu" else 2)
    working = [sandbox for sandbox, works in ((Bubblewrap(), bubblewrap_works()), (Landlock(), enough)) if works]
    for sandbox in working:
        if name in ("auto", sandbox.name):
            return sandbox
    offer = f"sandbox={working[0].name} works, or" if working else "there is no other here;"
    raise UserError(
        f"sandbox={name}: does not work on this machine (bubblewrap needs the program bwrap and user namespaces, landlock "
        f"Linux 5.13 or later, for a GPU 5.19).\nInstall bubblewrap; {offer} sandbox=none runs candidates unprotected"
    )


@functools.cache
def bubblewrap_works() -> bool:
    """Whether bwrap is installed and may make namespaces: containers often forbid that."""
    if shutil.which("bwrap") is None:
        return False
    return _starts(namespaces(sized=False))


@functools.cache
def knows_sizes() -> bool:
    """Whether this bwrap can limit what lies in memory; before 2023 none could, and half of the machine's is the limit."""
    return _starts(namespaces(sized=True))


def namespaces(sized: bool) -> list[str]:
    """What every candidate's process is started with: nothing shared, no capabilities, and folders of its own in memory."""
    wrapped = ["bwrap", "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"]
    for path, size in (("/dev/shm", SHARED_BYTES), ("/tmp", TEMPORARY_BYTES)):
        wrapped += ["--size", str(size)] if sized else []
        wrapped += ["--tmpfs", path]
    return wrapped


def mounts(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        else:
            yield from ("--ro-bind", str(path), str(path))


def device_mounts(device: Device) -> Iterator[str]:
    """The device files that make a GPU usable inside; nothing for a CPU."""
    for path in gpu_devices(device):
        yield from ("--dev-bind", str(path), str(path))


def _starts(wrapped: list[str]) -> bool:
    return subprocess.run([*wrapped, *mounts(_system()), "true"], capture_output=True, check=False).returncode == 0


def _system() -> Iterator[Path]:
    yield from (Path(name) for name in SYSTEM if Path(name).exists())
    yield from sorted({path for pattern in LIBRARIES for path in Path("/usr/lib").glob(pattern)})


@functools.cache
def visible() -> tuple[Path, ...]:
    """All that a candidate may read besides its own folder: the system's programs and libraries, the interpreter, the
    packages that training needs, and `search.task`. Home folders, the repository, results and other packages are not
    included."""
    return (*installed(), ROOT / "search" / "__init__.py", ROOT / "search" / "task")


@functools.cache
def installed() -> tuple[Path, ...]:
    """The same without `search.task`."""
    paths = [*_system(), *(path for pattern in TOOLKITS for path in sorted(Path("/").glob(pattern[1:])))]
    shown = list(dict.fromkeys(found for path in [*paths, *_interpreter()] for found in _without_packages(path)))
    return (*shown, *_shown())


def packages_elsewhere() -> list[str]:
    """Folders with packages that training needs, where the interpreter does not look by itself."""
    return [str(place) for place in _packages() if str(place) not in site.getsitepackages()]


def check_hidden(places: Iterable[Path]) -> None:
    """Raise UserError if one of these folders lies in what candidates may read."""
    for place in places:
        for path in visible():
            if place.resolve().is_relative_to(path.resolve()):
                raise UserError(
                    f"{place}: lies in {path}, which training programs may read; move it, or run with sandbox=none "
                    "(unprotected)"
                )


def gpu_devices(device: Device) -> list[Path]:
    """The device files of the machine's GPUs, where the task has one."""
    return [path for pattern in GPU_DEVICES.get(device.kind, ()) for path in sorted(DEVICE_FILES.glob(pattern))]


def _interpreter() -> Iterator[Path]:
    base = Path(sys.base_prefix)
    if base == Path("/usr"):
        base_paths: list[Path] = []
    else:
        base_paths = [base / "bin", base / "include", base / "lib"]
    yield from (path for path in base_paths if path.exists())
    if sys.prefix != sys.base_prefix:
        yield from (Path(sys.prefix) / name for name in ("pyvenv.cfg", "bin"))


def _without_packages(path: Path) -> Iterator[Path]:
    """The path, or where a folder of Python packages lies below it, everything beside that."""
    if path.is_symlink() or not path.is_dir() or not _holds_packages(path):
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.name not in (*HIDDEN_NAMES, *UNUSED):
            yield from _without_packages(child)


def _holds_packages(path: Path) -> bool:
    """Whether Python packages lie below, in one of the places where interpreters look for them."""
    places = ("", "lib/", "local/", "local/lib/", "python*/", "lib/python*/", "local/lib/python*/")
    return any(next(path.glob(place + name), None) is not None for place in places for name in HIDDEN_NAMES)


def _shown() -> list[Path]:
    """The packages that training needs."""
    return [package for packages in _packages().values() for package in packages]


@functools.cache
def _packages() -> dict[Path, list[Path]]:
    """What training needs of each folder of packages: the installed files' first folders. Images for GPUs bring torch in
    another than the environment's. Looked up once: it takes longer than a process to start."""
    found: dict[Path, set[Path]] = {}
    for distribution in _closure(NEEDED):
        place = Path(str(distribution.locate_file(""))).absolute()
        found.setdefault(place, set()).update(place / name for name in _top_level(distribution))
    return {place: sorted(filter(Path.exists, packages)) for place, packages in found.items()}


def _closure(names: tuple[str, ...]) -> list[importlib.metadata.Distribution]:
    """Distributions, and what they require, as far as it is installed."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in found[name].requires or []:
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return list(found.values())


def _top_level(distribution: importlib.metadata.Distribution) -> set[str]:
    names = {file.parts[0] for file in distribution.files or []}
    return names - {"..", "__pycache__"}
