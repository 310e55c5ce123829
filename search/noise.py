"""The noise floor that an experiment's control has measured so far."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from search.journal import FILE
from search.strategy import NoiseFloor
from search.trial import Origin, Status

CONTROL = "seeds"  # the strategy that is the control
FEWEST = 2  # scores that have a spread


def control_noise(folder: Path, task_fingerprint: str) -> NoiseFloor | None:
    """Spread of val_bpb in the control's studies that lie in `folder`, all search seeds together, or None where it has too
    few scores. A study of a task with another fingerprint does not count."""
    scores: list[float] = []
    for path in sorted((folder / CONTROL).glob(f"*/{FILE}")):
        scores += _scores(path, task_fingerprint)
    if len(scores) < FEWEST:
        return None
    return NoiseFloor(mean=statistics.mean(scores), sd=statistics.stdev(scores), trials=len(scores))


def _scores(journal: Path, task_fingerprint: str) -> list[float]:
    """The scores in a journal that another process may be writing: a torn last line does not count."""
    lines = [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]
    if not lines or lines[0]["task_fingerprint"] != task_fingerprint:
        return []
    anchors = {line["number"] for line in lines if line["kind"] == "started" and line["origin"] == Origin.ANCHOR}
    finished = [line for line in lines if line["kind"] == "finished" and line["number"] not in anchors]
    return [line["outcome"]["val_bpb"] for line in finished if line["outcome"]["status"] == Status.COMPLETED]
