"""The whole story in about ten minutes: `python -m search.demo`. Its keys stand in conf/demo.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import subprocess
import sys

from search.config import messages
from search.config.commands import DemoConfig, check_demo
from search.config.messages import UserError
from search.config.places import ROOT
from search.console.command import Command
from search.console.command_line import run
from search.console.family import end_with_parent, passed_on

TASK = ("task=cpu", "task.budget.seconds=6")
CONTROL_TRIALS = 8  # the least that a noise floor is stated from
SEARCH_TRIALS = 12
REPEATS = 5  # the least that a contrast of two programs is stated from

OPENING = """\
Three strategies search for a better train.py: the stock under fresh seeds (what luck alone finds), Optuna (plain tuning),
and the agent's loop. No LLM is asked: llm=playbook is a list of edits that was picked by hand, so what it finds says nothing
about LLMs. Then the winners are trained again on seeds and text that no study has seen, and compared.
"""
CLOSING = """\
What this cannot show: with one study per strategy nothing is claimed of strategies (four of each are needed), only of what
these two studies found; twelve trials are too few for Optuna, which draws its first ten at random; training runs of six
seconds are not five minutes of a GPU; and the playbook is a hand-picked list. The report says so where it matters, and names
the commands that add what is missing.
"""


def commands(experiment: str) -> list[list[str]]:
    """Modules with their arguments, in order."""
    name = f"experiment={experiment}"
    return [
        ["search", "strategy=seeds", *TASK, f"study.trials={CONTROL_TRIALS}", name],
        ["search", "strategy=optuna", *TASK, f"study.trials={SEARCH_TRIALS}", name],
        ["search", "strategy=agent", "llm=playbook", *TASK, f"study.trials={SEARCH_TRIALS}", name],
        ["search.confirm", name, f"repeats={REPEATS}"],
        ["search.compare", name],
    ]


def main(config: DemoConfig) -> None:
    print(OPENING)
    for command in commands(config.experiment):
        words = " ".join(["python", "-m", *command])
        print(f"\n$ {words}", flush=True)
        code = _run([sys.executable, "-m", *command])
        if code == messages.INTERRUPTED:
            raise KeyboardInterrupt
        if code not in (0, messages.NothingToDo.code):  # no winner but the stock: the report says so
            raise UserError(f"{words}: ended with exit code {code}; mend what it says above, and start again")
    print(f"\n{CLOSING}")


def _run(command: list[str]) -> int:
    """Run a command that hears of Ctrl-C from this process alone, since it is in a group of its own: once is not twice. It
    stops where this process is killed. Returns its exit code."""
    child = subprocess.Popen(command, cwd=ROOT, process_group=0, preexec_fn=end_with_parent)
    with passed_on(child):
        return child.wait()


COMMAND = Command("demo", DemoConfig, check_demo, main, "stopped; the same command goes on")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
