"""What a trial may use, what it may not change, and what it starts with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from search.config.files import sha256
from search.config.messages import UserError
from search.config.places import ROOT
from search.data.tokens import Prepared
from search.executor.local import make_runner
from search.runner.process import watchdog
from search.runner.process.compile_cache import CACHE, CompileCache
from search.runner.process.frozen import Frozen
from search.runner.process.sandbox import Bubblewrap, bubblewrap_works
from search.runner.process.token_files import TokenFiles
from search.study.request import TrialRequest
from search.study.trial import Status
from tests.programs import UNTRAINED, program

MAIN = "def main():\n    run = task.join()\n"
# Memory, processes and bytes on disk are the zoo's.
EXCESSES = {
    "files": (
        "    for number in range(300):\n        open(f'file{number}', 'wb').close()\n    time.sleep(60)",
        Status.DISQUALIFIED,
        "files",
    ),
    "one file": ("    open('file', 'wb').write(bytes(20 * 2**20))", Status.CRASHED, "File too large"),
    "open files": ("    held = [open('/dev/null') for _ in range(5000)]", Status.CRASHED, "Too many open files"),
}


@pytest.fixture
def make(quick, tmp_path):
    def make_one(**settings):
        config, prepared = quick
        task = replace(config.task, **settings)
        return make_runner(replace(config, task=task), prepared, tmp_path)

    return make_one


def request(source, folder, **settings):
    return TrialRequest(source, 1, folder / "logs" / "trial", **({"is_stock": True} | settings))


@pytest.mark.parametrize("name", EXCESSES)
def test_a_trial_that_uses_too_much_is_ended(make, tmp_path, monkeypatch, name):
    monkeypatch.setattr(watchdog, "MOST_FILES", 200)
    body, status, said = EXCESSES[name]
    runner = make(disk_gb=0.01)
    outcome = runner.run(request(program(main=MAIN + body), tmp_path), lambda progress: None)
    assert (outcome.status, outcome.val_bpb) == (status, None)
    assert said in outcome.reason


def test_scoring_is_held_to_the_same_limits(make, tmp_path):
    build = "held = bytearray(700 * 2**20); time.sleep(60)"
    outcome = make(memory_gb=0.6).run(
        request(
            program(
                build=build,
                main=UNTRAINED.replace("build_model(run.vocab_size, run.sequence_length)", "Model(run.vocab_size)"),
            ),
            tmp_path,
        ),
        lambda progress: None,
    )
    assert outcome.status is Status.OUT_OF_MEMORY and "scoring" in outcome.reason


CALLS = """
import ctypes, errno, json, os, resource, socket, threading
from search.task.confine import confine
from search.task.system_calls import CALLS, Policy
confine()
libc, machine, wrong = ctypes.CDLL(None, use_errno=True), os.uname().machine, []
errors = {Policy.REFUSED: errno.EPERM, Policy.MISSING: errno.ENOSYS, Policy.SKIPPED: None}
errors |= {Policy.LOCAL_SKIPPED: None} if os.getuid() == 0 else {}  # root could change the machine's device files
for call in (call for call in CALLS if call.policy in errors and call.number(machine) is not None):
    values = [call.mask & ~max(call.values)] if call.allowed else call.values or [0]
    for value in values:
        arguments = [0] * 6
        arguments[call.argument or 0] = value
        result = libc.syscall(call.number(machine), *map(ctypes.c_long, arguments))
        error = ctypes.get_errno() if result == -1 else None
        if error != errors[call.policy] or (error is None and result != 0):
            wrong.append((call.name, value, result, ctypes.get_errno()))
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try:
        wrong.append(str(socket.socket(family, socket.SOCK_DGRAM)))
    except PermissionError:
        pass
socket.socketpair()[0].getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
threading.Thread(target=int).start()  # by an older call
os.isatty(0)
resource.setrlimit(resource.RLIMIT_CPU, resource.getrlimit(resource.RLIMIT_CPU))  # its own limits are its own
print(json.dumps(wrong))
"""


def test_system_calls_that_only_a_cheat_needs_are_refused():
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FAIRTRIAL_FILE_BYTES": "1000"}
    done = subprocess.run(
        [sys.executable, "-c", CALLS], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


LISTS = """
import os
from search.task import seccomp
folder = os.open(".", os.O_RDONLY)
list(os.scandir(folder))
os.close(seccomp.supervise())  # as when the harness lets no path be followed any more
for reach in (lambda: os.open(".", os.O_RDONLY), lambda: list(os.scandir(folder))):
    try:
        print(reach())
    except OSError:
        pass
"""


def test_once_rows_are_shown_no_path_is_followed_and_no_open_folder_listed():
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LISTS], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_file_that_is_handed_over_cannot_be_opened_for_writing(tmp_path):
    if not bubblewrap_works():
        pytest.skip("a read-only mount is bubblewrap's")
    path = tmp_path / "tokens"
    path.write_bytes(b"real")
    for sandbox_opens, reached in ((True, False), (False, True)):
        handover = TokenFiles([path], Bubblewrap()) if sandbox_opens else None
        file = handover.open()[0] if handover else os.open(path, os.O_RDONLY)
        code = f"import os; os.write(os.open('/proc/self/fd/{file}', os.O_WRONLY), b'fake')"
        inside = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", sys.executable, "-c", code]
        subprocess.run(inside, pass_fds=[file], capture_output=True, check=False)
        assert (path.read_bytes() == b"fake") is reached  # without the mount it can: the test sees what it tests
        assert os.read(file, 10) == path.read_bytes()
        os.close(file)


def test_a_trial_reads_its_tokens_from_their_beginning(tmp_path):
    path = tmp_path / "tokens"
    path.write_bytes(b"real")
    for sandbox in [Bubblewrap()] if bubblewrap_works() else []:
        handover = TokenFiles([path], sandbox)
        for _ in range(2):
            (file,) = handover.open()
            assert os.read(file, 10) == b"real"
            os.close(file)


def test_a_frozen_file_that_changes_stops_the_study_by_name(tmp_path):
    path = tmp_path / "task.py"
    path.write_text("honest")
    frozen = Frozen({path: sha256(path)})
    frozen.check()
    times = path.stat()
    path.write_text("cheats")  # as long as before
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserError, match=r"task\.py: was changed"):
        frozen.check()
    path.write_text("honest")  # restored, with other times
    frozen.check()
    path.unlink()
    with pytest.raises(UserError, match=r"task\.py"):
        frozen.check()


def test_a_candidate_that_changes_the_text_stops_the_study(make, smoke, tmp_path):
    config, shared = smoke
    prepared = Prepared(Path(shutil.copytree(shared.folder, tmp_path / "prepared")))
    tokens = prepared.files("train")[0]
    main = UNTRAINED.replace("    run =", f"    open({str(tokens)!r}, 'r+b').write(b'xx')\n    run =")
    task_runner = make_runner(replace(config, sandbox="none"), prepared, tmp_path)
    with pytest.raises(UserError, match=re.escape(str(tokens))):
        task_runner.run(request(program(main=main), tmp_path), lambda progress: None)


CACHES = """
def main():
    run = task.join()
    folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    os.makedirs(folder, exist_ok=True)
    print("found", sorted(os.listdir(folder)), flush=True)
    open(os.path.join(folder, "NAME"), "w").close()
    for tokens, targets in run.batches(16):
        pass
    run.submit(build_model(run.vocab_size, run.sequence_length))
"""


def test_a_trial_finds_what_the_stock_compiled_and_nothing_of_another_trial(make, tmp_path):
    runner = make()
    found = []
    for name, is_stock in (("stock", True), ("first", False), ("second", False)):
        asked = request(program(main=CACHES.replace("NAME", name)), tmp_path, is_stock=is_stock)
        outcome = runner.run(asked, lambda progress: None)
        assert outcome.status is Status.COMPLETED
        found.append(outcome.log_tail.strip())
    assert found == ["found []", "found ['stock']", "found ['stock']"]


def test_a_copied_cache_names_its_own_files(tmp_path):
    """Triton keeps a list of each kernel's files, by their whole paths."""
    stock, first = tmp_path / "stock", tmp_path / "first"
    kernel = stock / CACHE / "triton" / "ABC"
    kernel.mkdir(parents=True)
    (kernel / "kernel.cubin").write_bytes(b"code")
    (kernel / "__grp__kernel.json").write_text(json.dumps({"child_paths": {"kernel.cubin": str(kernel / "kernel.cubin")}}))
    cache = CompileCache(tmp_path / "kept")
    cache.keep(stock)
    shutil.rmtree(stock)
    first.mkdir()
    cache.copy_to(first)
    group = json.loads((first / CACHE / "triton" / "ABC" / "__grp__kernel.json").read_text())
    path = Path(group["child_paths"]["kernel.cubin"])
    assert path.read_bytes() == b"code" and path.is_relative_to(first)
