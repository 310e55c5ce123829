from __future__ import annotations

import signal
import subprocess
import sys
import time

from search.tracking import store


def test_a_kill_while_the_database_is_made_leaves_none_that_is_half_made(tmp_path):
    database, making = tmp_path / "mlflow.db", tmp_path / "mlflow.db.new"
    uri = f"sqlite:///{database}"
    process = subprocess.Popen([sys.executable, "-c", f"from search.tracking import store; store.connect({uri!r})"])
    while not (making.exists() and making.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not database.exists()
    assert store.connect(uri).search_experiments() and not making.exists()
