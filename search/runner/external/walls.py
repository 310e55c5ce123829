"""What an external program can see and reach: bubblewrap, with no network except a relay to the proxy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from search.config.messages import UserError
from search.runner.device.leases import Device
from search.runner.process import proc, sandbox
from search.study.external import BUBBLEWRAP, UNPROTECTED, Program

USER, NUMBER, HOME = "coder", "1000", "/home/coder"  # some command lines refuse to work for root
HOME_BYTES = 2**29  # of its home and of /tmp: in memory, and gone with the program
PORT = 3128  # of the relay, in a network of its own
RELAY = Path(__file__).with_name("relay.py")
RELAY_INSIDE, SOCKET_INSIDE = "/run/relay.py", "/run/proxy"
# By which names of a server are believed; the folders of private keys beside them are not shown.
CERTIFICATES = (
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/ca-trust"),
    *("/usr/share/ca-certificates", "/usr/lib/ssl", "/etc/localtime"),
)
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
INHERITED = ("LANG", "LC_ALL")
SEARCHED = ("/usr/local/bin", "/usr/bin", "/bin")  # for programs, after the interpreter's own folder
PROXIED = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def check(program: Program) -> None:
    """Raises UserError if the program cannot be run here as requested."""
    if program.sandbox not in (BUBBLEWRAP, UNPROTECTED):
        raise UserError(f"strategy.sandbox={program.sandbox}: choose {BUBBLEWRAP} or {UNPROTECTED}")
    if program.sandbox == BUBBLEWRAP and not sandbox.bubblewrap_works():
        raise UserError(
            "strategy.sandbox=bubblewrap: does not work here, and Landlock cannot limit the network to named hosts.\n"
            "Install bubblewrap, which needs user namespaces; or use strategy.sandbox=none: the command can then read "
            "and reach whatever you can, including the scored text"
        )
    for name in program.keys:
        if not os.environ.get(name):
            raise UserError(f"coder.api_key_env={name}: that environment variable holds no key; export it")
    for path in program.shown:
        if not path.exists():
            raise UserError(f"coder.installation: {path} does not exist; name the folders in which the command is installed")
    found(program)


def found(program: Program) -> Path:
    """The file of its command. Raises UserError."""
    name = program.words[0]
    path = shutil.which(name, path=os.pathsep.join([_interpreter(), os.environ.get("PATH", ""), *SEARCHED]))
    if path is None:
        raise UserError(f"coder.command: no program {name} was found; install it, or put its folder into PATH")
    return Path(path).absolute()


def environment(program: Program) -> dict[str, str]:
    """All that it is given of an environment."""
    names = (*INHERITED, *program.keys, *CERTIFICATE_VARIABLES)
    folders = [_interpreter(), str(found(program).parent), *SEARCHED]
    more = {"PYTHONPATH": ":".join(sandbox.packages_elsewhere())} if sandbox.packages_elsewhere() else {}
    return {
        **{name: os.environ[name] for name in names if os.environ.get(name)},
        "PATH": ":".join(dict.fromkeys(folders)),
        "USER": USER,
        "TMPDIR": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
        **program.environment,
    }


def wrapped(program: Program, room: Path, device: Device | None = None) -> tuple[list[str], Mapping[str, str]]:
    """The command inside of its walls, and its environment. `room`: a folder of the caller's own, which holds the proxy's
    socket under the name `proxy` where there are hosts to reach. Raises UserError."""
    home = HOME if program.home is None else str(program.home)
    (room / "passwd").write_text(f"{USER}:x:{NUMBER}:{NUMBER}::{home}:/bin/sh\n")
    (room / "group").write_text(f"{USER}:x:{NUMBER}:\n")
    (room / "hosts").write_text("127.0.0.1 localhost\n")
    sized = ["--size", str(HOME_BYTES)] if sandbox.knows_sizes() else []
    inside = [*sandbox.namespaces(sandbox.knows_sizes()), "--uid", NUMBER, "--gid", NUMBER]
    inside += [*sized, "--tmpfs", home, *sized, "--tmpfs", "/tmp"]  # first: the interpreter may lie below the home
    inside += sandbox.mounts([*sandbox.installed(), *_shown(program)])
    if device is not None and device.kind in sandbox.GPU_DEVICES:
        inside += ["--ro-bind", "/sys", "/sys", *sandbox.device_mounts(device)]
    inside += proc.hidden(proc.USUAL)
    for name in ("passwd", "group", "hosts"):
        inside += ["--ro-bind", str(room / name), f"/etc/{name}"]
    relay, proxied = _way_out() if program.hosts else ([], {})
    if program.hosts:
        inside += ["--ro-bind", str(RELAY), RELAY_INSIDE, "--ro-bind", str(room / "proxy"), SOCKET_INSIDE]
    inside += ["--bind", str(program.folder), str(program.folder), "--remount-ro", "/", "--chdir", str(program.folder)]
    words = [str(found(program)), *program.words[1:]]
    return [*inside, "--", *relay, *words], {**environment(program), **proxied, "HOME": home}


def _way_out() -> tuple[list[str], Mapping[str, str]]:
    """What a command is started by to reach its hosts, and the variables that tell it."""
    relay = [sys.executable, "-I", RELAY_INSIDE, SOCKET_INSIDE, str(PORT)]
    return relay, {**dict.fromkeys(PROXIED, f"http://127.0.0.1:{PORT}"), "NO_PROXY": "localhost,127.0.0.1"}


def unprotected(program: Program, room: Path, device: Device | None = None) -> tuple[list[str], Mapping[str, str]]:
    """The same without walls: what the command starts ends with it on Linux, and that is all."""
    command = [str(found(program)), *program.words[1:]]
    if sys.platform == "linux":
        command = [sys.executable, "-S", str(Path(sandbox.__file__).with_name("keeper.py")), str(os.getpid()), *command]
    return command, {**environment(program), "HOME": str(program.home or room)}


def _shown(program: Program) -> Iterator[Path]:
    """What it may read besides the system: its own file and the target if that is a link, what it names, and
    certificates. What is in a folder that is already shown is not shown again."""
    here = found(program)
    named = [os.environ[name] for name in CERTIFICATE_VARIABLES if os.environ.get(name)]
    wanted = [here, here.resolve(), *program.shown, *(Path(name) for name in (*CERTIFICATES, *named))]
    already = list(sandbox.installed())
    for path in dict.fromkeys(wanted):
        if path.exists() and not any(path.is_relative_to(folder) for folder in already):
            already.append(path)
            yield path


def _interpreter() -> str:
    return str(Path(sys.executable).parent)
