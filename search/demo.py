"""The whole story in about ten minutes: `python -m search.demo`. Its keys are in conf/demo.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import shutil
import subprocess
import sys
import textwrap

from search.config import messages
from search.config.commands import DemoConfig, check_demo
from search.config.messages import UserError
from search.config.places import ROOT
from search.console.command import Command
from search.console.command_line import run
from search.console.family import end_with_parent, passed_on

TASK = ("task=demo",)
TRIALS = 12
LONGEST_LINE = 100  # characters
REPEATS = 5  # the least that a contrast of two programs is stated from

OPENING = """\
Three strategies look for a better train.py: the stock under fresh seeds (what luck alone finds), Optuna (plain tuning), and
the agent's loop. No LLM is asked: llm=playbook replays edits that were picked by hand, so its results say nothing about
LLMs. Then the winners are trained again on seeds and text that no study has seen, and compared. In total these are about 60
short training runs. They take about eight minutes on two idle cores, and longer on a busy machine, with the same scores.
"""
CLOSING = """\
This demo has limits. One study of each strategy can show which of two programs is better, but nothing about strategies
(that takes four of each). Training runs of four seconds are not five minutes of a GPU, and the playbook was picked by hand.
The report says so where it matters, and names the commands that add what is missing.
"""


def commands(experiment: str) -> list[list[str]]:
    """Modules with their arguments, in order."""
    name = f"experiment={experiment}"
    return [
        # CMA-ES starts at the stock and so finds something in twelve trials; TPE draws ten at random first.
        [
            "search",
            "-m",
            "strategy=seeds,optuna,agent",
            "sampler=cmaes",
            "llm=playbook",
            *TASK,
            f"study.trials={TRIALS}",
            name,
        ],
        ["search.confirm", name, f"repeats={REPEATS}"],
        ["search.compare", name],
    ]


def main(config: DemoConfig) -> None:
    print(_filled(OPENING))
    steps = commands(config.experiment)
    for number, command in enumerate(steps, start=1):
        words = " ".join(["python", "-m", *command])
        print(f"\nStep {number} of {len(steps)}:\n$ {words}", flush=True)
        code = _run([sys.executable, "-m", *command])
        if code == messages.INTERRUPTED:
            raise KeyboardInterrupt
        if code not in (0, messages.NothingToDo.code):  # no winner but the stock: the report says so
            raise UserError(f"{words}: ended with exit code {code}; fix what it says above, and start again")
    print(f"\n{_filled(CLOSING)}")


def _filled(text: str) -> str:
    """The text in lines that fit the terminal."""
    return textwrap.fill(" ".join(text.split()), min(LONGEST_LINE, shutil.get_terminal_size().columns))


def _run(command: list[str]) -> int:
    """Run a command in a process group of its own, so that it gets Ctrl-C only from this process, and only once. It
    stops if this process is killed. Returns its exit code."""
    child = subprocess.Popen(command, cwd=ROOT, process_group=0, preexec_fn=end_with_parent())
    with passed_on(child):
        return child.wait()


COMMAND = Command("demo", DemoConfig, check_demo, main, "stopped; run the same command to resume")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
