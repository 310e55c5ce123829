"""Measure what the harness costs on this machine, and what a trial buys: `python -m search.bench task=cpu`. Its keys
are in conf/bench.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from search.config.schema import Config
from search.config.validate import check_values, require
from search.console.command import Command
from search.console.command_line import run


@dataclass
class BenchConfig(Config):
    """A study's keys. `parts`: what to measure."""

    parts: list[str] = field(default_factory=list)


def night(config: Config) -> Iterator[str]:
    from search.bench import night, overheads

    yield from night.tables(overheads.measure(config))


def growth(config: Config) -> Iterator[str]:
    from search.bench import growth

    yield from growth.tables(config)


def publishing(config: Config) -> Iterator[str]:
    from search.bench import publishing

    yield from publishing.tables(config)


def pruning(config: Config) -> Iterator[str]:
    from search.bench import pruning

    yield from pruning.tables(config)


def trial(config: Config) -> Iterator[str]:
    from search.bench import trial

    yield from trial.tables(config)


PARTS: dict[str, Callable[[Config], Iterator[str]]] = {
    function.__name__: function for function in (night, growth, publishing, pruning, trial)
}


def check(config: BenchConfig) -> None:
    """Raises UserError naming the key, the value and the remedy."""
    check_values(config)
    known = bool(config.parts) and set(config.parts) <= PARTS.keys()
    require(known, "parts", config.parts, f"choose some of [{','.join(PARTS)}]")


def main(config: BenchConfig) -> None:
    for part in config.parts:
        print(f"## {part.capitalize()}\n", flush=True)
        for line in PARTS[part](config):
            print(line, flush=True)
        print()


COMMAND = Command("bench", BenchConfig, check, main, "stopped")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
