"""Say how much of the gain in a log is luck: `python -m search.review log=results.tsv`. Its keys are in conf/review.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import ReviewConfig, check_review
from search.console.command import Command
from search.console.command_line import run


def main(config: ReviewConfig) -> None:
    from search.review.night import review

    review(config)


COMMAND = Command("review", ReviewConfig, check_review, main, "stopped; run the same command to resume")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
