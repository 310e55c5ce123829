"""Fetch and prepare a task's text ahead of time (a study that finds it missing does it too):

python -m search.prepare
python -m search.prepare task=cpu
python -m search.prepare task=cpu data=files data.corpus.folder=~/texts
"""

from __future__ import annotations

import sys

from search.config.schema import Config
from search.console import command_line


def main(config: Config, overrides: list[str]) -> None:
    from search.data.tokens import prepare_data

    prepared = prepare_data(config, print)
    for split, facts in prepared.splits.items():
        ratio = facts.bytes / facts.tokens
        print(f"{split}: {facts.documents:,} documents, {facts.tokens:,} tokens, {ratio:.2f} bytes per token")
    print(f"{prepared.folder}")


if __name__ == "__main__":
    sys.exit(command_line.run(main, "stopped"))
