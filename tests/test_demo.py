"""The demo: the whole story, here with the smallest task, from nothing to a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from hydra import compose, initialize_config_dir

from search import demo
from search.config.places import CONF, ROOT
from search.config.validate import load

SHRUNK = """
import subprocess, sys
from types import SimpleNamespace
from search import demo
from search.console import command_line
number = int(sys.argv.pop())

def popen(command, **how):  # candidates of its commands start at once
    command[2:2] = ["tests.warm_command", str(number)]
    return subprocess.Popen(command, pass_fds=[number], **how)

demo.subprocess = SimpleNamespace(Popen=popen)
demo.TASK, demo.TRIALS, demo.REPEATS = ("task=smoke", "hydra.launcher.n_jobs=1"), 2, 1
sys.exit(command_line.run(demo.COMMAND))
"""


def test_its_studies_are_ones_that_can_be_run():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        (multirun,) = [command[2:] for command in demo.commands("demo") if command[0] == "search"]
        strategies = multirun[0].removeprefix("strategy=").split(",")
        configs = [load(compose("config", overrides=[f"strategy={name}", *multirun[1:]])) for name in strategies]
    assert [config.strategy["name"] for config in configs] == ["seeds", "optuna", "agent"]
    assert all(config.task.budget.tokens is not None for config in configs)  # the same scores on every machine


def test_it_ends_with_a_report_that_says_what_it_cannot_show(quick_clone):
    script = quick_clone.root / "shrunk_demo.py"
    script.write_text(SHRUNK)
    number = quick_clone.warm.connection.fileno()
    done = subprocess.run(
        [sys.executable, script, str(number)],
        cwd=quick_clone.root,
        env={**os.environ, "PYTHONPATH": f"{quick_clone.root}:{ROOT}"},
        pass_fds=[number],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "This demo has limits" in done.stdout and "search.ui experiment=demo" in done.stdout
    folder = quick_clone.root / "mlruns" / "reports" / "demo" / "smoke"
    assert str(folder / "report.html") in done.stdout
    report = json.loads((folder / "report.json").read_text())
    assert {study["strategy"] for study in report["studies"]} == {"seeds", "optuna-cmaes", "agent-playbook"}
    assert {one["verdict"] for one in report["findings"] if one["scope"] in ("claim", "strategies")} == {"not stated"}
