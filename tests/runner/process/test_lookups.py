"""What the harness answers a process that it supervises: all paths at first, later none, and a few files of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from search.config.places import ROOT
from search.runner.device.leases import Device
from search.runner.process.lookups import Lookups
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
nothing, before = without_room(), look()
channel.send(b"b")
channel.recv(1)
print(json.dumps([nothing, before, look(), figures(), shown["MemTotal"], shown["MemFree"]]))
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
    assert before == ["named", "refused", got, "opened"]
    assert after == ["named", "refused", got, "refused"]
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
