"""A real Slurm on the loopback interface: one controller and several node daemons, of Debian's slurm-wlm and munge.

Everything lies in a folder of its own, with ports of its own; nothing of a Slurm that is installed for use is touched.
"""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
START_SECONDS, DEAD_NODE_SECONDS = 60.0, 3
KEY_BYTES = 1024
SETTINGS = """ClusterName=fairtrial
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmdTimeout={dead}
MessageTimeout={dead}
KillWait=5
SchedulerParameters=sched_min_interval=100000
PartitionName=trials Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# More memory than the machine may have: Slurm is told so (`-N` is a node's name).
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=1000 State=UNKNOWN\n"


def missing() -> str:
    """Why there can be no Slurm here, or nothing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return f"not installed: {', '.join(lacking)} (apt-get install slurm-wlm munge)" if lacking else ""


@dataclass
class Slurm:
    """`environment`: with which Slurm's commands reach it."""

    folder: Path
    environment: dict[str, str]

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def kill_node(self, name: str) -> None:
        """As if its power had failed: the daemon first, then what watches its jobs, and then these."""
        daemon = psutil.Process(int((self.folder / f"{name}.pid").read_text()))
        scripts = [
            process for process in psutil.process_iter(["cmdline"]) if f"/spool-{name}/" in str(process.info["cmdline"])
        ]
        jobs = [process for script in scripts for process in (script.parent(), script, *_children(script))]
        for process in [daemon, *_children(daemon), *filter(None, jobs)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def slurm(folder: Path, nodes: Sequence[str] = ("n1", "n2")) -> Iterator[Slurm]:
    """A cluster whose nodes have a core each, for as long as this is open."""
    folder.mkdir(mode=0o755)
    ports = _free_ports(1 + len(nodes))
    host, settings = platform.node(), folder / "slurm.conf"
    text = SETTINGS.format(host=host, user=getpass.getuser(), controller=ports[0], folder=folder, dead=DEAD_NODE_SECONDS)
    lines = [NODE.format(name=name, host=host, port=port) for name, port in zip(nodes, ports[1:], strict=True)]
    settings.write_text(text + "".join(lines))
    (folder / "munge.key").write_bytes(os.urandom(KEY_BYTES))
    (folder / "munge.key").chmod(0o600)
    environment = {**os.environ, "SLURM_CONF": str(settings), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    cluster = Slurm(folder, environment)
    files = [f"--{option}-file={folder}/munge.{option}" for option in ("key", "pid", "log", "seed")]
    daemons = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files],
        ["slurmctld", "-D", "-c", "-f", str(settings)],
        *(["slurmd", "-D", "-f", str(settings), "-N", name] for name in nodes),
    ]
    with ExitStack() as stack:
        for daemon in daemons:
            stack.enter_context(_running(daemon, environment, folder))
            if daemon[0] == "munged":
                _wait(lambda: (folder / "munge.socket").exists())
        _wait(lambda: _idle(cluster) == len(nodes))
        yield cluster


@contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / "output.txt").open("a") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=folder, start_new_session=True
        )
    try:
        yield
    finally:
        children = _children(psutil.Process(process.pid)) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        process.wait()
        for child in children:  # of a node: what runs its jobs
            with suppress(psutil.NoSuchProcess):
                child.kill()


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _idle(cluster: Slurm) -> int:
    try:
        states = cluster.ask("sinfo", "--noheader", "--Node", "--format=%T")
    except subprocess.CalledProcessError:  # the controller is not up yet
        return 0
    return states.split().count("idle")


def _wait(holds) -> None:
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > START_SECONDS:
            raise TimeoutError("Slurm did not start")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in sockets]
