"""Write a study into one file that others can check: `python -m search.export study=EXPERIMENT/TASK/STRATEGY/SEED`. Its
keys are in conf/export.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import ExportConfig, check_export
from search.console.command import Command
from search.console.command_line import run


def main(config: ExportConfig) -> None:
    from search.archive.pack import pack
    from search.config.messages import command
    from search.config.places import resolve

    study = config.study.strip("/")
    out = resolve(config.out or f"mlruns/archives/{study.replace('/', '_')}.zip")
    trials = pack(study, out, print)
    print(f"{trials} trials of {study}: {out}")
    print(f"others check it with {command('search.verify', f'archive={out.name}')}")


COMMAND = Command("export", ExportConfig, check_export, main, "stopped; nothing was written")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
