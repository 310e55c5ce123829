"""MLflow's pages as a browser shows them, opened from the address that `python -m search.ui` prints. Takes a minute of a
slow core: `pytest -m browser`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from search.config.places import ROOT
from tests.tracking.test_traces import converse

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
browser = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser is None, reason=f"no browser here: one of {', '.join(BROWSERS)} is needed"),
]


@pytest.fixture
def dom(tmp_path):
    """The text of a page, once it has settled, in a profile that is new."""

    def look(address, seconds=30):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        settled = f"--virtual-time-budget={seconds * 1000}"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1200", "--dump-dom"]
        command = [browser, *flags, profile, settled, address]
        page = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
        return re.sub(r"<style.*?</style>|<script.*?</script>", "", page, flags=re.DOTALL)

    return look


@pytest.fixture
def ui(publish):
    """Starts the command, and returns the addresses that it prints; ends it, and sees that nothing is left of it."""
    started = []

    def start():
        command = [sys.executable, "-m", "search.ui", "experiment=test", f"tracking.uri={publish.uri}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        lines = (line.strip() for line in process.stdout if "http" in line)
        return next(lines), next(lines).partition(": ")[2]

    yield start
    for process in started:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130 and children
        assert not psutil.wait_procs(children, timeout=10)[1]


def test_the_printed_address_opens_the_studies_and_their_pages_show_the_result(publish, ui, dom):
    publish(3, "strategy=optuna")
    publish(3)
    converse(publish.folder / "study" / "seeds", 3, ["first", "second"])
    publish(4)
    address, constants = ui()
    shown = dom(address)
    assert ">Model registry<" in shown and ">Evaluations<" not in shown  # what the two modes lead to
    assert "optuna-tpe, search seed 0" in shown and "seeds, search seed 0" in shown
    assert shown.index("best_val_bpb") < shown.index("System metrics")

    page = address.partition("?")[0]
    (study,), trials = [run for run in publish.runs("study") if run.data.tags["strategy"] == "optuna"], publish.runs("trial")
    shown = dom(f"{page}/{study.info.run_id}?workflowType=machine_learning")
    assert "Gain over the stock" in shown and "python -m search.confirm experiment=test" in shown
    assert "Created by" in shown and "python -m search" in shown

    shown = dom(constants)
    assert "Parallel Coordinates" in shown and all(f">{axis}</" in shown for axis in ("MATRIX_LR", "DEPTH", "val_bpb"))
    asked = next(run for run in trials if run.data.tags["fairtrial.trial"] == "3")
    assert "second" in dom(f"{page}/{asked.info.run_id}/traces?workflowType=machine_learning")
