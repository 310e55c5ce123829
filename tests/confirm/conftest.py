"""Made-up studies of a search seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.confirm.records import study


@pytest.fixture
def finished(configure):
    config = configure("task=smoke")
    return lambda seed, *entries, **header: study(replace(config, seed=seed), *entries, **header)
