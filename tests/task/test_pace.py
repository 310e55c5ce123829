"""The clock while the host runs ahead of the device, and batches made on another thread."""

from __future__ import annotations

import os
import socket
import threading
from itertools import count, islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from search.task import run as run_module
from search.task.loader import prefetched
from search.task.pace import Pace
from search.task.protocol import Channel
from search.task.run import Run

BUDGET, OVERRUN = 300.0, 6.0


class Device:
    """A device with a queue, on a clock that only the test moves."""

    def __init__(self, step: float, host: float = 0.0) -> None:
        self.now, self.free, self.step, self.host = 0.0, 0.0, step, host
        self.unfinished: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def event(self) -> Device.Event:
        return Device.Event(self)

    def queue(self) -> None:
        self.now += self.host
        self.free = max(self.free, self.now) + self.step
        self.unfinished.append(self.free)

    class Event:
        def __init__(self, device: Device) -> None:
            self.device = device

        def record(self) -> None:
            self.at = self.device.free

        def synchronize(self) -> None:
            self.device.now = max(self.device.now, self.at)
            self.device.unfinished = [end for end in self.device.unfinished if end > self.device.now]


def run_on(device: Device, monkeypatch) -> Run:
    """A Run whose clock and queue are the device's, with its tokens handed over already."""
    ours, theirs = socket.socketpair()
    settings = {
        "device": "cpu",
        "vocab_size": 8,
        "sequence_length": 4,
        "seed": 0,
        "packing": "consecutive",
        "bos": 7,
        "budget_seconds": BUDGET,
        "budget_tokens": None,
        "overrun_seconds": OVERRUN,
    }
    files = [os.memfd_create(name) for name in ("tokens", "offsets")]
    os.write(files[0], np.arange(6, dtype=np.uint16).repeat(100).tobytes())
    os.write(files[1], np.array([0, 600], np.int64).tobytes())
    for file in files:
        os.lseek(file, 0, os.SEEK_SET)
    Channel(ours).send({"event": "go", "budget_seconds": BUDGET}, files)
    monkeypatch.setattr(run_module.time, "monotonic", device.monotonic)
    run = Run(Channel(theirs), settings)
    run._pace = Pace(device.event)
    run._channel.send = lambda message, files=(): None  # nobody listens
    return run


@pytest.mark.parametrize("step", [0.01, 0.3, 2.0, 40.0, 140.0, 170.0, 290.0])
@pytest.mark.parametrize("host", [0.0, 0.2])
def test_a_budget_is_met_whatever_a_step_takes(step, host, monkeypatch):
    step = max(step, host * 1.5)
    with monkeypatch.context() as patched:
        device = Device(step, host)
        run = run_on(device, patched)
        steps = 0
        for _ in run.batches(2):
            device.queue()
            assert len(device.unfinished) <= 2
            steps += 1
        assert not device.unfinished  # the clock counts work that is done
    assert device.now <= BUDGET + OVERRUN / 2 or steps == 1
    assert device.now >= BUDGET - step - 2 * host - 1e-6
    assert run.progress > 1 - 1.5 * step / BUDGET - 0.01
    assert run._pace.done == steps


def test_the_first_step_is_waited_for_and_then_one_may_be_unfinished():
    device = Device(step=1.0)
    pace = Pace(device.event)
    seen = []
    for number in range(4):
        device.queue()
        pace.queued(torch.tensor(float(number)))
        seen.append((device.now, pace.done, pace.waiting, float(pace.loss)))
    assert seen == [(1.0, 1, 0, 0.0), (1.0, 1, 1, 0.0), (2.0, 2, 1, 1.0), (3.0, 3, 1, 2.0)]
    pace.finish()
    assert (device.now, pace.done, pace.waiting, float(pace.loss)) == (4.0, 4, 0, 3.0)


@given(ahead=st.integers(1, 5), wanted=st.integers(0, 50))
def test_prefetching_changes_neither_values_nor_order_and_is_bounded(ahead, wanted):
    made = []

    def source():
        for value in count():
            made.append(value)
            yield value

    batches = prefetched(source(), ahead)
    assert list(islice(batches, wanted)) == list(range(wanted))
    batches.close()
    assert len(made) <= wanted + ahead + 1


def test_prefetching_passes_errors_on_and_leaves_no_thread():
    def source():
        yield 1
        raise ValueError("the training text is too short")

    batches = prefetched(source(), 2)
    assert next(batches) == 1
    with pytest.raises(ValueError, match="too short"):
        next(batches)
    for thread in threading.enumerate():
        if thread.name.startswith("prefetch"):
            thread.join(10)
            assert not thread.is_alive()
