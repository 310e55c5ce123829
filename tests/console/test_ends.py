"""How commands end: real processes that are sent signals, and whose terminals go away."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from search.config.places import ROOT
from search.config.scratch import scratch
from search.study.journal import FILE

STUDY = ["strategy=seeds", "task=smoke"]
IDENTITY = "autoresearch/smoke/seeds/0"
PATIENCE = 120.0  # seconds for what takes a few; nothing is measured


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kinds(journal):
    return [json.loads(line)["kind"] for line in journal.read_text().splitlines()] if journal.exists() else []


def statuses(clone):
    """Of the studies' runs in MLflow."""
    client = MlflowClient(f"sqlite:///{clone.root}/mlruns/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run.info.status for run in client.search_runs(experiments, "tags.kind = 'study'")]


def gone(reader):
    """Whether nobody has the other end of a pipe any more."""
    while select.select([reader], [], [], PATIENCE)[0]:
        if not os.read(reader, 65_536):
            return True
    return False


LOST = """
import os, sys
from search.console.screen import lossy_output
with lossy_output():
    sys.stdin.read()  # until the reader of the output is gone
    print("x" * 100_000)
    print("y", file=sys.stderr)
    os.kill(os.getpid(), 9)
"""


def test_output_that_nobody_reads_is_dropped():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", LOST], cwd=ROOT, **pipes) as process:
        process.stdout.close()
        process.stderr.close()
        process.stdin.close()
        assert process.wait(PATIENCE) == -signal.SIGKILL  # it came to its end


def test_a_study_outlives_its_terminal_where_hangups_are_ignored(quick_clone):
    terminal, theirs = pty.openpty()
    connection = str(quick_clone.warm.connection.fileno())
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_command", connection, "search", *STUDY, "study.trials=1"],
        cwd=quick_clone.root,
        env={**os.environ, "PYTHONPATH": f"{quick_clone.root}:{ROOT}"},
        pass_fds=[int(connection)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # as nohup does
    )
    os.close(theirs)
    journal = quick_clone.study(IDENTITY) / FILE
    wait_until(lambda: "started" in kinds(journal))
    process.send_signal(signal.SIGHUP)
    os.close(terminal)
    assert process.wait(PATIENCE) == 0 and kinds(journal)[-1] == "ended"


def test_a_hangup_stops_a_study_in_good_order(quick_clone):
    journal = quick_clone.study(IDENTITY) / FILE
    process = quick_clone.popen(*STUDY)
    wait_until(lambda: "started" in kinds(journal))
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "run the same command to resume" in output, output
    assert kinds(journal)[-1] == "interrupted" and statuses(quick_clone) == ["KILLED"], output


def test_control_c_while_modules_are_imported_is_no_traceback(clone):
    schema = clone.root / "search" / "config" / "schema.py"
    first = "from __future__ import annotations\n"
    schema.write_text(schema.read_text().replace(first, f"{first}import os\nos.kill(os.getpid(), 2)\n"))
    for module in ("search", "search.once", "search.demo", "search.confirm", "search.plan"):
        process = clone.popen(module=module)
        output, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, output) == (130, "stopped\n"), module


STUCK = """
import os, signal, time
from search.console import interrupt
interrupt.SECONDS = interrupt.AGAIN_SECONDS = 1.0
with interrupt.Interrupts(print) as interrupts:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
    except KeyboardInterrupt:
        interrupts.over()
        for _ in range(5):
            os.kill(os.getpid(), signal.SIGINT)
        print("closing", flush=True)
        time.sleep(600)
"""


def test_what_hangs_while_a_study_is_closed_is_ended_and_further_signals_do_not_disturb():
    done = subprocess.run(
        [sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 130 and done.stdout == "closing\n" and done.stderr.startswith("stopped")


DROPPED = """
import os, signal, time, weakref
from search.console import interrupt
interrupt.AGAIN_SECONDS = 0.5
class Thing:
    pass
with interrupt.Interrupts(print) as interrupts:
    try:
        thing = Thing()
        held = weakref.ref(thing, lambda gone: os.kill(os.getpid(), signal.SIGTERM))
        del thing  # what its callback raises is printed and dropped
        time.sleep(600)
    except KeyboardInterrupt:
        print("stopped")
"""


def test_an_interrupt_that_python_drops_comes_again():
    command = [sys.executable, "-c", DROPPED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


STUDY_OF_DEMO = """
import signal, time
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
print("here", flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.5)  # it finishes its trial, and a second Ctrl-C would come meanwhile
print(len(heard), flush=True)
raise SystemExit(130)
"""
DEMO = f"""
import sys
from search import demo
from search.console import command_line
demo.commands = lambda experiment: [["search"]]
run = demo._run
demo._run = lambda command: run([sys.executable, "-c", {STUDY_OF_DEMO!r}])
sys.exit(command_line.run(demo.COMMAND, []))
"""


def start_demo(output):
    """In a session of its own, as in a terminal."""
    command = [sys.executable, "-u", "-c", DEMO]
    process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    os.close(output)
    return process


def read_until(reader, text):
    told = b""
    while text not in told:
        data = os.read(reader, 65_536)
        assert data, told
        told += data


def test_a_study_of_the_demo_hears_control_c_once_and_is_waited_for():
    reader, writer = os.pipe()
    process = start_demo(writer)
    read_until(reader, b"here\n")
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    read_until(reader, b"1\n")
    assert process.wait(PATIENCE) == 130 and gone(reader)


def test_a_study_of_the_demo_ends_with_a_demo_that_is_killed():
    reader, writer = os.pipe()
    process = start_demo(writer)
    read_until(reader, b"here\n")
    process.kill()
    process.wait()
    assert gone(reader)


def test_one_trial_by_hand_leaves_no_folder(quick_clone):
    folder = quick_clone.root / "mlruns" / "once"
    process = quick_clone.popen("task=smoke", module="search.once")
    wait_until(lambda: folder.is_dir() and any(folder.glob("*/work/*/train")))
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and not list(folder.iterdir()), output


LEAVES = """
import os, sys, time
from pathlib import Path
from search.config.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "weights").write_text("x")
    if len(sys.argv) > 2:
        os._exit(9)
    print(folder, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_and_what_another_uses_is_not(tmp_path):
    subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path), "dies"], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    command = [sys.executable, "-c", LEAVES, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        used = other.stdout.readline().strip()
        with scratch(tmp_path) as folder:
            assert {str(path) for path in tmp_path.iterdir()} == {used, str(folder)}
        other.kill()
    assert [str(path) for path in tmp_path.iterdir()] == [used]


WORKER = """
import os, sys, time
from search.console import family
print('here', flush=True)
while len(sys.argv) > 2 and os.getppid() == int(sys.argv[1]):
    time.sleep(0.01)
family.watch_parent(int(sys.argv[1]))
time.sleep(600)
"""
POOL = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORKER!r}, str(os.getpid()), *sys.argv[1:]])"


@pytest.mark.parametrize("when", [[], ["before it looks"]])
def test_a_worker_ends_with_its_parent(when):
    reader, writer = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", POOL, *when], cwd=ROOT, stdout=writer)
    os.close(writer)
    assert os.read(reader, 100)
    parent.kill()
    parent.wait()
    assert gone(reader)
