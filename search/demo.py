"""The whole story on two cores, offline and without a key, in about ten minutes: the control, Optuna and the agent's loop on
trainings of a few seconds; then confirmation, comparison and the report.

python -m search.demo

It gives the commands that you would give, one after the other, and prints each. The same command goes on where it was
stopped.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from search.config import messages
from search.config.messages import UserError
from search.config.places import ROOT
from search.console import arguments

TASK = ("task=cpu", "task.budget.seconds=6")
CONTROL_TRIALS = 8  # the least that a noise floor is stated from
SEARCH_TRIALS = 12
REPEATS = 5  # the least that a contrast is stated from

OPENING = """\
Three strategies search for a better train.py: the stock under fresh seeds (what luck alone finds), Optuna (plain tuning),
and the agent's loop. No LLM is asked: llm=playbook is a list of edits that was picked by hand, so what it finds says nothing
about LLMs. Then the winners are trained again on seeds and text that no search has seen, and compared.
"""
CLOSING = """\
What this cannot show: with one search per strategy no contrast between strategies is stated (six are needed); twelve trials
are too few for Optuna, which draws its first ten at random; trainings of 6 seconds are not five minutes of a GPU;
and the playbook is a hand-picked list. The report says so where it matters, and names the commands that add what is missing.
"""


@dataclass
class Settings:
    experiment: str = arguments.setting("demo", "the experiment's name; another one starts the demo anew")


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


def main(settings: Settings) -> None:
    print(OPENING)
    for command in commands(settings.experiment):
        words = " ".join(["python", "-m", *command])
        print(f"\n$ {words}", flush=True)
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False)
        if done.returncode == messages.INTERRUPTED:
            raise KeyboardInterrupt
        if done.returncode != 0:
            raise UserError(f"{words}: ended with exit code {done.returncode}; mend what it says above, and start again")
    print(f"\n{CLOSING}")


if __name__ == "__main__":
    sys.exit(arguments.run(Settings, main, __doc__, "stopped; the same command goes on"))
