"""Check an archive that `search.export` made, and train a sample of it again: `python -m search.verify archive=FILE`.
Its keys are in conf/verify.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import VerifyConfig, check_verify
from search.console.command import Command
from search.console.command_line import run


def main(config: VerifyConfig) -> None:
    from search.archive.verify import verify

    verify(config, print)


COMMAND = Command("verify", VerifyConfig, check_verify, main, "stopped; the archive was not judged")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
