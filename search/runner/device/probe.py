"""Measures how fast the machine is, with a fixed piece of work on the leased cores before and after a training run.
GPUs are not probed: starting CUDA takes longer, and leaves less memory to the candidate, than a probe is worth. Their
clocks, power and throttling, as NVML reports them, are in the telemetry.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from search.runner.device.pinning import on_cores

WORK = Path(__file__).with_name("matrix_work.py")
MOST_SECONDS = 20.0  # it takes half a second; on a machine where it takes so long, speed means nothing
# Each library that NumPy may compute with listens to one of these.
THREADS_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ProbeFailed(Exception):
    """No number, and why."""


class Probes:
    """The probes of one trial. `rates`: in GFLOP/s, by the name of the outcome's field. `seconds`: what they took together.
    `failures`: why some have no number."""

    def __init__(self, cores: Collection[int]) -> None:
        """`cores`: the leased ones; none where nothing is to be probed."""
        self._cores = cores
        self.rates: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.failures: list[str] = []

    def take(self, name: str) -> None:
        """Record how fast the cores are now under that name, or why that is not known."""
        if not self._cores:
            return
        began = time.monotonic()
        try:
            self.rates[name] = work_per_second(self._cores)
        except ProbeFailed as failure:
            self.failures.append(f"{name}: {failure}")
        self.seconds["probe"] = self.seconds.get("probe", 0.0) + time.monotonic() - began


def work_per_second(cores: Collection[int]) -> float:
    """GFLOP/s of fixed matrix products on these cores together, one thread each. Raises ProbeFailed."""
    threads = dict.fromkeys(THREADS_VARIABLES, str(len(cores)))
    try:
        with on_cores(cores):
            process = subprocess.run(
                [sys.executable, "-P", str(WORK)],
                env={**os.environ, **threads},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=MOST_SECONDS,
                start_new_session=True,  # Ctrl-C is for the study, which finishes the trial
                check=True,
            )
    except subprocess.TimeoutExpired:
        raise ProbeFailed(f"not finished after {MOST_SECONDS:g} s") from None
    except subprocess.CalledProcessError as error:
        raise ProbeFailed(f"{error}; it said: {error.stderr}") from error
    except OSError as error:
        raise ProbeFailed(f"could not be started: {error}") from error
    return _positive(process.stdout)


def _positive(said: str) -> float:
    try:
        rate = float(said)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise ProbeFailed(f"it said {said!r}, not a rate")
    return round(rate, 3)
