"""Train the stock and the confirmed winners again on another task, and report which share of each gain is left: `python
-m search.transfer experiment=NAME scale=longer`. Its keys are in conf/transfer.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import TransferConfig, check_transfer
from search.console.command import Command
from search.console.command_line import run


def main(config: TransferConfig) -> None:
    from rich.console import Console

    from search.confirm.results import summary
    from search.console.conduct import conduct, finish, say_where
    from search.console.progress import PlainDisplay
    from search.transfer.run import open_transfer

    console = Console()
    plain = PlainDisplay(console)
    with open_transfer(config, plain.say) as transfer:
        confirmation = transfer.confirmation
        journal, publisher = confirmation.journal, confirmation.publisher
        for stage in confirmation.stages():
            stopped = conduct(journal, publisher, console, stage.trials, stage.run, summary)
        report = transfer.report()
        report.print(console)
        print(f"report: {report.write()}")
        say_where(plain, publisher)
    finish(stopped, publisher, confirmation.config.tracking.uri, journal.folder)


COMMAND = Command("transfer", TransferConfig, check_transfer, main, "stopped; run the same command to resume")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
