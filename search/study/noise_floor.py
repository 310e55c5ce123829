"""The noise floor that an experiment's control has measured so far."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.study.contract import FEWEST, NoiseFloor
from search.study.journal import FILE
from search.study.reading import VERSION, other_version
from search.study.trial import Origin, Status

CONTROL = "control"  # the role of a strategy whose trials are all the stock


def control_scores(
    folder: Path, task_fingerprint: str, stock: str, say: Callable[[str], None] = lambda line: None
) -> list[float]:
    """val_bpb in the control's studies that lie in `folder`, all search seeds together, as far as they have come. Studies of
    a task with another fingerprint, or of another stock, do not count. Nor does a journal that is damaged, whosever it is:
    that ends no other study, and is told to `say`. Raises UserError for a control of another version."""
    scores: list[float] = []
    for path in sorted(folder.glob(f"*/*/{FILE}")):
        try:
            scores += _scores(path, task_fingerprint, stock)
        except (OSError, ValueError, KeyError, TypeError) as error:
            say(f"note: {path} is damaged ({error}): the noise floor is known without it. Restore it, or move it away")
    return scores


def noise_of(scores: Sequence[float]) -> NoiseFloor | None:
    """Their spread; None if there are fewer than FEWEST."""
    if len(scores) < FEWEST:
        return None
    return NoiseFloor(mean=statistics.mean(scores), sd=statistics.stdev(scores), trials=len(scores))


def is_control(header: Mapping[str, Any]) -> bool:
    """Whether a study is the control's, by its journal's first line."""
    return bool(header["config"]["strategy"].get("role") == CONTROL)


def _scores(journal: Path, task_fingerprint: str, stock: str) -> list[float]:
    """The scores in a journal that another process may be writing: a torn last line does not count."""
    lines = [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]
    if (
        not lines
        or not is_control(lines[0])
        or (lines[0]["task_fingerprint"], lines[0]["stock"]) != (task_fingerprint, stock)
    ):
        return []
    if lines[0].get("version") != VERSION:
        raise other_version(journal, lines[0].get("version"))
    anchors = {line["number"] for line in lines if line["kind"] == "asked" and line["origin"] == Origin.ANCHOR}
    told = [line for line in lines if line["kind"] == "told" and line["number"] not in anchors]
    return [line["outcome"]["val_bpb"] for line in told if line["outcome"]["status"] == Status.COMPLETED]
