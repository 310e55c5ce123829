"""What tests of real trials share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from search.config.schema import Config
from search.data.tokens import Prepared
from tests.sandboxes import WARM_BOX
from tests.warm import Warm


@pytest.fixture
def quick(smoke: tuple[Config, Prepared], warm: Warm) -> Iterator[tuple[Config, Prepared]]:
    """The smallest task and its text, where a trial's processes start at once."""
    config, prepared = smoke
    with warm.serving():
        yield replace(config, sandbox=WARM_BOX), prepared
