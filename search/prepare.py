"""Download and prepare a task's text ahead of time: `python -m search.prepare task=cpu`. Its keys are in
conf/prepare.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.schema import Config
from search.config.validate import check_values
from search.console.command import Command
from search.console.command_line import run


def main(config: Config) -> None:
    from search.data.tokens import prepare_data

    prepared = prepare_data(config, print)
    for split, facts in prepared.splits.items():
        ratio = facts.bytes / facts.tokens
        print(f"{split}: {facts.documents:,} documents, {facts.tokens:,} tokens, {ratio:.2f} bytes per token")
    print(f"{prepared.folder}")


COMMAND = Command("prepare", Config, check_values, main, "stopped")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
