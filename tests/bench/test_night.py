"""How much of a night the clock is on comes from the real loop."""

from __future__ import annotations

import pytest

from search.bench import night
from search.bench.overheads import Overheads

NONE = Overheads(start=0.0, before=0.0, after=0.0, answers=0.0)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(night, "TRIALS", 10)


def test_a_night_without_overheads_is_all_training():
    assert night.share(NONE, 3_000.0, 0.0, ahead=0) == pytest.approx(1.0, abs=0.01)


def test_serial_latency_and_overheads_are_lost_and_proposals_ahead_are_not():
    overheads = Overheads(start=5.0, before=500.0, after=500.0, answers=0.0)
    serial = (10 * 3_000) / (10 * 4_000 + 9 * 1_000)  # the stock is not asked for
    assert night.share(overheads, 3_000.0, 1_000.0, ahead=0) == pytest.approx(serial, abs=0.01)
    # The first proposal is asked for when the stock has ended.
    assert night.share(overheads, 3_000.0, 1_000.0, ahead=1) == pytest.approx(30_000 / 41_000, abs=0.01)


def test_devices_work_side_by_side_once_the_stock_has_ended():
    assert night.share(NONE, 3_000.0, 0.0, ahead=1, devices=4) == pytest.approx(40 / 11, abs=0.15)
