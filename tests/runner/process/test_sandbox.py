"""What a candidate's process cannot see or reach: one probe each, run inside the real sandboxes."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.config.messages import UserError
from search.config.places import ROOT
from search.data.corpus import package_folder
from search.runner.device.leases import Device
from search.runner.process import sandbox
from search.runner.process.sandbox import Bubblewrap, Unprotected, choose
from tests.sandboxes import WORKING

CPU = Device("cpu", "cpu")


@pytest.fixture(params=WORKING, ids=lambda box: box.name)
def inside(request, tmp_path):
    """Run Python code in a sandbox; return what it printed, as JSON."""

    def run(code: str):
        run.folder = folder = Path(tempfile.mkdtemp(dir=tmp_path))  # as each trial's processes get one
        (folder / "probe.py").write_text(code)
        command = request.param.wrap([sys.executable, "probe.py"], folder, CPU)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    run.name = request.param.name
    return run


READS = """
import json
read = []
for path in {paths!r}:
    try:
        open(path, "rb").read(1)
        read.append(path)
    except OSError:
        pass
print(json.dumps(read))
"""

WRITES = """
import json
written = []
for path in {paths!r}:
    try:
        open(path, "ab").write(b"x")
        written.append(path)
    except OSError:
        pass
print(json.dumps(written))
"""


def test_a_sandbox_works_where_this_suite_is_run_for_a_landing():
    assert WORKING or os.environ.get("CI") is None


def test_training_needs_nothing_that_is_hidden(inside):
    code = "import json, torch, numpy, search.task.run\nprint(json.dumps(float(torch.ones(2).sum())))"
    assert inside(code) == 2.0


FINDS = """
import importlib.util, json, numpy, search.task
names = ["torch", "sympy", "typing_extensions", "pandas", "mlflow", "sqlalchemy", "omegaconf"]
print(json.dumps([name for name in names if importlib.util.find_spec(name) and open(importlib.util.find_spec(name).origin)]))
"""
# From another Python: that command in each sandbox, and what it printed.
ELSEWHERE = (
    f"PROBE = {FINDS!r}"
    + """
import json, os, subprocess, sys, tempfile
from pathlib import Path
from search.runner.device.leases import Device
from search.runner.process.sandbox import Bubblewrap, Landlock
for box in (Bubblewrap(), Landlock()):
    if box.name in sys.argv[2:]:
        folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
        command = box.wrap([sys.executable, "-c", PROBE], folder, Device("cpu", "cpu"))
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"], "HOME": str(folder)}
        print(subprocess.check_output(command, cwd=folder, env=environment, text=True).strip())
"""
)


@pytest.mark.parametrize("how", ["a .pth file", "--user", "--system-site-packages"])
def test_torch_is_shown_wherever_it_is_installed_and_nothing_else_of_that_place(tmp_path, how):
    place = Path(package_folder("torch")).parent
    base = tmp_path / "user" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base.mkdir(parents=True)
    (base / "site-packages").symlink_to(place)
    python, user = Path(sys._base_executable), {"PYTHONUSERBASE": str(tmp_path / "user")}
    if how != "--user":
        options = ["--without-pip", *(["--system-site-packages"] if how.startswith("--") else [])]
        subprocess.run([sys._base_executable, "-m", "venv", *options, str(tmp_path / "venv")], check=True)
        python = tmp_path / "venv" / "bin" / "python"
    if how == "a .pth file":
        user = {}
        (own,) = (tmp_path / "venv").glob("lib/*/site-packages")
        (own / "elsewhere.pth").write_text(f"{place}\n")
    command = [str(python), "-c", ELSEWHERE, str(tmp_path), *(box.name for box in WORKING)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **user}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [["torch", "sympy", "typing_extensions"]] * len(WORKING)


def test_a_torch_that_cannot_be_shown_is_said(monkeypatch):
    monkeypatch.setattr(sandbox, "_packages", dict)
    with pytest.raises(UserError, match=r"torch: .* finds no installation that sandbox=auto could show"):
        choose("auto", "cpu")
    assert choose("none", "cpu").name == "none"


def test_nothing_private_can_be_read(inside, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "weights.pt"
    other.write_text("another trial's")
    private = [str(other), str(ROOT / "README.md"), str(ROOT / "search" / "build.py"), str(ROOT / "mlruns" / "README.md")]
    scored = [str(package_folder(name) / "__init__.py") for name in ("pandas", "sklearn", "mlflow", "sqlalchemy")]
    homes = [str(path) for path in (Path.home() / ".bashrc", Path("/etc/passwd")) if path.exists()]
    git = ROOT / ".git" / "HEAD"
    paths = [*private, *scored, *homes, *([str(git)] if git.exists() else [])]
    assert inside(READS.format(paths=paths)) == []
    assert inside(READS.format(paths=[str(ROOT / "search" / "task" / "loader.py")])) != []  # the probe can read at all


def test_of_the_machine_proc_shows_only_what_no_trial_can_change(inside):
    figures = [f"/proc/{name}" for name in ("uptime", "slabinfo", "kpageflags", "sys/fs/file-nr", "pressure/cpu", "vmstat")]
    shown = ["/proc/cpuinfo", "/proc/sys/vm/overcommit_memory", "/proc/self/maps"]
    assert inside(READS.format(paths=[*figures, *shown])) == shown
    assert inside(WRITES.format(paths=["/proc/self/clear_refs"])) == []


def test_only_the_trials_own_folder_can_be_written(inside, tmp_path):
    outside = [
        str(ROOT / "search" / "task" / "loader.py"),
        str(tmp_path / "escaped"),
        "/usr/escaped",
        sys.prefix + "/escaped",
    ]
    before = (ROOT / "search" / "task" / "loader.py").read_bytes()
    inside(WRITES.format(paths=outside))  # in memory bubblewrap may let it write; nothing of that is outside
    assert (
        not any(Path(path).exists() for path in outside[1:])
        and (ROOT / "search" / "task" / "loader.py").read_bytes() == before
    )
    assert inside(WRITES.format(paths=["mine"])) == ["mine"]


def test_there_is_no_network(inside):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 1).close()  # from out here it answers
        code = f"""
import json, socket
try:
    socket.create_connection(("127.0.0.1", {port}), 2)
    print(json.dumps("connected"))
except OSError:
    print(json.dumps("refused"))
"""
        assert inside(code) == "refused"


HARNESS = """
import subprocess, sys
from pathlib import Path
from search.runner.device.leases import Device
from search.runner.process import sandbox
name, folder, number = sys.argv[1:]
command = getattr(sandbox, name)().wrap([sys.executable, "probe.py", number], Path(folder), Device("cpu", "cpu"))
subprocess.Popen(command, cwd=folder, pass_fds=[int(number)], start_new_session=True).wait()
"""
FORKS = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        os.write(int(sys.argv[1]), b"I am here")
    else:
        os._exit(0)
time.sleep(600)
"""


@pytest.mark.parametrize("box", [*WORKING, Unprotected()], ids=lambda box: box.name)
def test_what_a_candidate_forks_ends_with_a_harness_that_is_killed(box, tmp_path):
    (tmp_path / "probe.py").write_text(FORKS)
    ours, theirs = os.pipe()
    command = [sys.executable, "-c", HARNESS, type(box).__name__, str(tmp_path), str(theirs)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    harness = subprocess.Popen(command, env=environment, pass_fds=[theirs])
    os.close(theirs)
    assert os.read(ours, 100)
    harness.kill()
    harness.wait()
    assert select.select([ours], [], [], 60)[0] and os.read(ours, 100) == b""  # nobody has the other end any more
    os.close(ours)


def test_what_does_not_work_is_said_and_nothing_is_started_without_asking(monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap_works", lambda: False)
    assert choose("none", "cpu").name == Unprotected.name
    if sandbox.landlock.version() > 0:
        assert choose("auto", "cpu").name == "landlock"
        with pytest.raises(UserError, match="sandbox=landlock works"):
            choose("bubblewrap", "cpu")
    monkeypatch.setattr(sandbox.landlock, "version", lambda: 1)  # of Linux 5.13: it refuses what compilers for GPUs do
    assert choose("landlock", "cpu").name == "landlock"
    with pytest.raises(UserError, match=r"for a GPU 5\.19"):
        choose("landlock", "cuda")
    monkeypatch.setattr(sandbox.landlock, "version", lambda: 0)
    with pytest.raises(UserError, match="sandbox=none runs candidates unprotected") as refused:
        choose("auto", "cpu")
    assert str(refused.value).count("\n") == 1


def test_gpus_pass_through_where_the_task_has_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "gpu_devices", lambda device: [Path("/dev/nvidia0")] if device.kind == "cuda" else [])
    on_gpu = Bubblewrap().wrap(["true"], tmp_path, Device("cuda", "cuda GPU-1"))
    on_cpu = Bubblewrap().wrap(["true"], tmp_path, CPU)
    assert "/dev/nvidia0" in on_gpu and "/dev/nvidia0" not in on_cpu
