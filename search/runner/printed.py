"""What a program of another harness has printed, and what became of its run: a metric, or the reason why there is none."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from search.config.messages import printable
from search.study.external import Ended

LONGEST_REASON = 200  # letters of what a program prints last


class End(StrEnum):
    """How a run ended. All but the first are failures."""

    SCORED = "scored"
    FAILED = "failed"  # by itself, with an exit code that says so
    TIMED_OUT = "timed out"
    OVER_A_LIMIT = "over a limit"
    SILENT = "printed no metric"
    NO_NUMBER = "printed no sane number"


@dataclass(frozen=True)
class Metric:
    """What is looked for in the output. `name`: as printed. `zero`: whether 0 is a score. `most`: no score is farther from
    0. `negative`: whether one can be below 0."""

    name: str
    zero: bool
    most: float
    negative: bool


def judged(ended: Ended, metric: Metric, seconds: float) -> tuple[End, float | None, str]:
    """What became of a run: a value, or the reason why there is none."""
    if ended.why:
        end = End.TIMED_OUT if ended.seconds >= seconds else End.OVER_A_LIMIT
        return end, None, ended.why
    if ended.code != 0:
        return End.FAILED, None, f"exit code {ended.code}: {_last_line(ended)}"
    found = last_printed(ended.output, metric.name)
    found = last_printed(ended.errors, metric.name) if found is None else found
    if found is None:
        return End.SILENT, None, f"no line of its output is {metric.name}: NUMBER"
    wrong = _absurd(found, metric)
    return (End.SCORED, found, "") if wrong is None else (End.NO_NUMBER, None, f"it printed {found:g}, {wrong}")


def last_printed(output: str, name: str) -> float | None:
    """The number of the last line `NAME: NUMBER`: programs print the metric while they train, too. A carriage return ends a
    line as well, since progress is written over itself. NaN and infinities are numbers here; what follows the number in
    its line, after a blank, is not read."""
    for printed in reversed(re.findall(rf"^{re.escape(name)}:[^\S\n]*(\S+)", output.replace("\r", "\n"), re.MULTILINE)):
        try:
            return float(printed.rstrip(",;"))
        except ValueError:  # a word, such as `val_bpb: pending`
            continue
    return None


def _absurd(value: float, metric: Metric) -> str | None:
    """Why this cannot be a score; None where it can."""
    if not math.isfinite(value):
        return "which is no finite number"
    if value == 0 and not metric.zero:
        return "which the log takes for none (zeros=)"
    if value < 0 and not metric.negative:
        return "and no score of the log is below 0"
    return (
        f"more than 1,000 times the largest score of the log ({metric.most / 1000:g})" if abs(value) > metric.most else None
    )


def _last_line(ended: Ended) -> str:
    lines = [line.strip() for line in (ended.errors or ended.output).splitlines() if line.strip()]
    return printable(lines[-1])[:LONGEST_REASON] if lines else "it printed nothing"
