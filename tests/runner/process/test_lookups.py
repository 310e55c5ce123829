"""What the harness answers a process that it supervises: all paths at first, later none, and a few files of its own."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys

import pytest

from search.config.places import ROOT
from search.runner.device.leases import Device
from search.runner.process.lookups import Lookups
from search.runner.process.own_files import OwnFiles
from tests.sandboxes import WORKING

LOOKS = """
import ctypes, errno, json, os, resource, socket, struct, sys, threading
from search.task import seccomp
device = sys.argv[2] if sys.argv[1:] else None
libc = ctypes.CDLL(None)

def named():
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    result = libc.pthread_setname_np(ctypes.c_ulong(thread.ident), b"worker")  # as CUDA's driver does
    gate.set()
    return "named" if result == 0 else errno.errorcode[result]

def opened(path, how):
    try:
        os.close(os.open(path, how))
    except OSError as error:
        return "refused" if error.errno in (errno.EACCES, errno.EROFS, errno.ENOENT) else errno.errorcode[error.errno]
    return "opened"

def look():
    tried = (("/proc/self/clear_refs", os.O_WRONLY), (device, os.O_RDWR), (sys.executable, os.O_RDONLY))
    return [named(), *(opened(path, how) for path, how in tried if path)]

def figures():
    told = ctypes.create_string_buffer(112)
    assert libc.sysinfo(told) == 0
    return [*struct.unpack_from("3Q2Q", told, 8), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]

def heard():
    try:
        socket.socket(socket.AF_UNIX).connect("/nowhere")
    except OSError as error:
        return errno.errorcode[error.errno]

def without_room():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # no file can be handed over
    told = [opened("/proc/meminfo", os.O_RDONLY), libc.sysinfo(None)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return told

if device is None:
    print(json.dumps(named()))
    raise SystemExit
channel = socket.socket(fileno=int(sys.argv[1]))
listener = seccomp.supervise()
socket.send_fds(channel, [b"l"], [listener])
os.close(listener)
shown = dict(line.split(":") for line in open("/proc/meminfo"))
nothing, before = without_room(), [*look(), heard()]
channel.send(b"b")
channel.recv(1)
print(json.dumps([nothing, before, [*look(), heard()], figures(), shown["MemTotal"], shown["MemFree"]]))
"""


@pytest.mark.parametrize("box", WORKING, ids=lambda box: box.name)
@pytest.mark.parametrize("device", [True, False])
def test_names_of_threads_and_a_gpus_files_are_all_it_can_open_in_the_end_and_figures_never_move(box, device, tmp_path):
    card, folder = tmp_path / "card", tmp_path / "own"
    card.write_bytes(b"")
    folder.mkdir()
    (folder / "probe.py").write_text(LOOKS)
    ours, theirs = socket.socketpair()
    command = box.wrap([sys.executable, "probe.py", str(theirs.fileno()), str(card)], folder, Device("cpu", "cpu"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=environment, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
    theirs.close()
    _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
    with Lookups(listener, [card] if device else []) as lookups:
        assert ours.recv(1) == b"b"
        lookups.end()
        ours.send(b"e")
        assert process.stdout is not None
        nothing, before, after, figures, total, free = json.loads(process.communicate(timeout=60)[0])
    got = "opened" if device else "refused"
    assert nothing == ["refused", -1]  # and the harness goes on answering
    assert before[:-1] == ["named", "refused", "refused", "opened"]  # what it opens itself, it has no path to
    assert after == ["named", "refused", got, "refused", "ECONNREFUSED"]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert figures == [0, 0, 0, memory, memory, memory]  # no loads, and nothing of the memory is in use
    assert total.split() == free.split() == [str(memory // 1024), "kB"]


@pytest.mark.parametrize("box", WORKING, ids=lambda box: box.name)
def test_a_training_process_with_a_gpu_can_name_its_threads(box, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    said = {}
    for kind, supervised in (("cuda", False), ("cuda", True), ("cpu", False)):
        folder = tmp_path / f"{kind}-{supervised}"
        folder.mkdir()
        (folder / "probe.py").write_text(LOOKS)
        command = box.wrap([sys.executable, "probe.py"], folder, Device(kind, kind), supervised)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said[kind, supervised] = json.loads(done.stdout)
    assert said.pop(("cuda", False)) == "named"
    assert "named" not in said.values()  # the probe sees what it probes


def test_figures_are_one_file_that_nobody_can_change_each_time_read_from_its_beginning(tmp_path):
    with OwnFiles([]) as own:
        first, second = (own.opened("/proc/meminfo", for_writing=False, ended=True) for _ in range(2))
        assert first is not None and second is not None
        # A new file each time would have a number that one process can move on, and the next one read.
        assert os.fstat(first).st_ino == os.fstat(second).st_ino
        assert os.read(first, 9) == os.read(second, 9) == b"MemTotal:"
        again = os.open(f"/proc/self/fd/{first}", os.O_RDWR)
        with pytest.raises(PermissionError):
            os.write(again, b"note")
        for file in (first, second, again):
            os.close(file)


def test_a_gpus_files_are_handed_over_only_in_the_end_and_not_where_the_driver_knows_who_opened_them(tmp_path, monkeypatch):
    def nothing_more(*_):
        raise OSError(errno.EMFILE, "too many open files")

    for name in ("nvidia0", "kfd", "dxg"):
        (tmp_path / name).touch()
    with OwnFiles([tmp_path]) as own:
        opened = {name: own.opened(str(tmp_path / name), True, ended=True) for name in ("nvidia0", "kfd", "dxg")}
        assert own.opened(str(tmp_path / "nvidia0"), True, ended=False) is None
        file = opened.pop("nvidia0")
        assert file is not None and set(opened.values()) == {None}
        os.close(file)
        monkeypatch.setattr(os, "open", nothing_more)
        assert own.opened("/proc/self/task/1/comm", True, ended=True) is None  # and the harness goes on answering


WRITES = """
import os
for path in ("/proc/1/mem", "/proc/sys/vm/swappiness"):
    try:
        os.close(os.open(path, os.O_RDWR))
        print(path)
    except OSError:
        pass
"""


@pytest.mark.parametrize("box", WORKING, ids=lambda box: box.name)
def test_a_training_process_with_a_gpu_can_write_neither_into_the_sandbox_nor_settings_of_the_machine(box, tmp_path):
    (tmp_path / "probe.py").write_text(WRITES)
    command = box.wrap([sys.executable, "probe.py"], tmp_path, Device("cuda", "cuda"), supervised=False)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
