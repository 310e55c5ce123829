"""Finds out who holds a device, as far as this machine tells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import psutil

from search.config.secrets import masked
from search.runner.device.locks import place
from search.study.trial import one_line

LOCKS = Path("/proc/locks")  # Linux: every lock, with the process that holds it
MOST_NAMED, LONGEST = 3, 120  # processes, and characters of a command


def holders(names: Iterable[str]) -> str:
    """Says in words which processes hold the locks of these names; empty if that cannot be known."""
    return "; ".join(list(dict.fromkeys(map(_described, _processes(names))))[:MOST_NAMED])


def _processes(names: Iterable[str]) -> Iterator[int]:
    try:
        lines = [line.split() for line in LOCKS.read_text().splitlines()]
    except OSError:
        return
    owners = {fields[5]: int(fields[4]) for fields in lines if len(fields) > 5 and fields[1] == "FLOCK"}
    for name in names:
        try:
            facts = (place() / name).stat()
        except OSError:
            continue
        owner = owners.get(f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}")
        if owner is not None and owner > 0:  # what another container holds has no number here
            yield owner


def _described(number: int) -> str:
    if number == os.getpid():
        return "another trial of this study"
    try:
        process = psutil.Process(number)
        command = one_line(masked(" ".join(process.cmdline())))[:LONGEST]
        began = datetime.fromtimestamp(process.create_time())
        return f"process {number} of {process.username()} ({command}), which has been running since {began:%d %b %H:%M}"
    except psutil.Error:
        return f"process {number}"
