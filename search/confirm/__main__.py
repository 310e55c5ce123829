"""Retrain the stock and every study's winner on fresh seeds, and score them on text that no study has seen:
`python -m search.confirm experiment=NAME repeats=5`. Its keys stand in conf/confirm.yaml."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.config.commands import ConfirmConfig, check_confirm
from search.console.command import Command
from search.console.command_line import run

if TYPE_CHECKING:
    from rich.table import Table

    from search.study.journal import Entry


def main(config: ConfirmConfig) -> None:
    from rich.console import Console

    from search.confirm.run import open_confirmation
    from search.console.conduct import conduct, finish, say_where
    from search.console.progress import PlainDisplay

    console = Console()
    plain = PlainDisplay(console)
    with open_confirmation(config, plain.say) as confirmation:
        journal, publisher = confirmation.journal, confirmation.publisher
        for stage in confirmation.stages():
            stopped = conduct(journal, publisher, console, stage.trials, stage.make, summary)
            if stopped:
                break
        say_where(plain, publisher)
        plain.say(f"compare: python -m search.compare experiment={config.experiment}")
    finish(stopped, publisher, confirmation.config.tracking.uri, journal.folder)


def summary(entries: Sequence[Entry]) -> Table:
    """The means of the reported repeats, by arm. What they show is for `search.compare` to say."""
    from rich.markup import escape
    from rich.table import Table

    from search.confirm.run import reported

    table = Table(title="confirmation: means (val_bpb: validation, confirmation_bpb: unseen text)", title_justify="left")
    for column in ("program", "repeats", "val_bpb", "confirmation_bpb"):
        table.add_column(column, justify="left" if column == "program" else "right")
    for arm, trials in reported(entries).items():
        seen = statistics.mean(trial.outcome.val_bpb or 0.0 for trial in trials)
        unseen = statistics.mean(trial.outcome.confirmation_bpb or 0.0 for trial in trials)
        table.add_row(escape(arm), str(len(trials)), f"{seen:.4f}", f"{unseen:.4f}")
    return table


COMMAND = Command("confirm", ConfirmConfig, check_confirm, main, "stopped; the same command goes on")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
