"""A candidate's processes stand still while they are paused, with all their threads and children, and go on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from search.config.messages import UserError
from search.runner.process import lookups
from search.runner.process.pause import paused

BUSY = """
import os, threading, time
os.fork(), os.fork()
def work():
    while True:
        os.write(1, b".")
        time.sleep(0.001)
for _ in range(4):
    threading.Thread(target=work).start()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and /proc are Linux's")


def test_nothing_runs_while_it_is_paused_and_all_of_it_afterwards():
    keeper = ["-m", "search.runner.process.keeper", str(os.getpid())]
    with subprocess.Popen([sys.executable, *keeper, sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(100)
        with paused(process.pid, time.monotonic() + 60) as stands:
            assert stands
            reader = process.stdout.fileno()
            os.set_blocking(reader, False)
            process.stdout.read()
            time.sleep(0.2)
            assert not process.stdout.read()
            os.set_blocking(reader, True)
        assert process.stdout.read(100)
        process.terminate()


def test_a_kernel_that_asks_nobody_ends_in_words(monkeypatch):
    monkeypatch.setattr(lookups, "SUPERVISED", "raise SystemExit(1)")
    with pytest.raises(UserError, match=r"Linux 5\.7") as raised:
        lookups.check_works.__wrapped__()
    assert str(raised.value).count("\n") == 1
