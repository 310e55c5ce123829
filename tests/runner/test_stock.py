"""What a study starts from, and what is said of it."""

from __future__ import annotations

import pytest

from search.config.messages import UserError
from search.runner.stock import set_by_task, stock_of


def test_constants_that_the_task_sets_over_the_files_own_are_said(configure, tmp_path):
    said = set_by_task(configure("task=smoke"))
    assert said is not None and said.startswith("task=smoke sets constants of train.py: DEPTH=1 (file: 8), ")
    assert set_by_task(configure("task=smoke", "~task.constants")) is None
    winner = tmp_path / "train.py"
    winner.write_text(stock_of(configure("task=smoke")).text)
    assert set_by_task(configure("task=smoke", f"start={winner}")) is None


def test_a_start_file_that_is_no_python_is_named_with_its_line(configure):
    with pytest.raises(UserError, match=r"start=README\.md: is not Python \(line \d+\); name a train\.py"):
        stock_of(configure("task=smoke", "start=README.md"))
