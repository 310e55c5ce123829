"""Retrain the stock and every study's winner on fresh seeds, and score them on text that no study has seen:
`python -m search.confirm experiment=NAME repeats=5`. Its keys are in conf/confirm.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import ConfirmConfig, check_confirm
from search.console.command import Command
from search.console.command_line import run


def main(config: ConfirmConfig) -> None:
    from rich.console import Console

    from search.config.messages import command
    from search.config.places import STUDIES
    from search.confirm.results import summary
    from search.confirm.run import open_confirmation
    from search.console.conduct import conduct, finish, say_where
    from search.console.progress import PlainDisplay
    from search.console.study_report import refresh

    console = Console()
    plain = PlainDisplay(console)
    with open_confirmation(config, plain.say) as confirmation:
        journal, publisher = confirmation.journal, confirmation.publisher
        for stage in confirmation.stages():
            stopped = conduct(journal, publisher, console, stage.trials, stage.run, summary)
            if stopped:
                break
        for study in confirmation.studies:
            refresh(STUDIES / study.identity, plain.say)
        say_where(plain, publisher)
        plain.say(f"compare: {command('search.compare', f'experiment={config.experiment}')}")
    finish(stopped, publisher, confirmation.config.tracking.uri, journal.folder)


COMMAND = Command("confirm", ConfirmConfig, check_confirm, main, "stopped; run the same command to resume")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
