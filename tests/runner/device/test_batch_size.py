"""The device batch: fitted to the GPU's memory once, and the same step with fewer rows at a time."""

from __future__ import annotations

import functools
import re

import pytest

from search.config.messages import UserError
from search.config.places import ROOT
from search.console.run_study import greeting, make_strategy
from search.data.tokens import prepare_data
from search.runner.device import batch_size
from search.runner.device.gpus import Gpu
from search.runner.stock import stock_of
from search.study import source
from search.study.identity import Opening, Stock, open_study
from search.study.journal import Journal
from tests.runner.device.hardware import SMALL, TWO_CARDS, put_nvidia_smi


@pytest.fixture
def nvidia(monkeypatch, tmp_path):
    return functools.partial(put_nvidia_smi, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("cards", "settings", "rows"),
    [
        ([80.0], [], 128),  # never above the stock's own
        ([80.0, 24.0], [], 32),  # a trial may run on any of them
        ([80.0], ["task.vram_gb=24"], 32),
        ([8.0], ["task.vram_gb=24"], 8),
        ([None], ["task.vram_gb=24"], 32),
        ([24.0], ["task.row_gb=2"], 8),
    ],
)
def test_the_device_batch_is_the_largest_power_of_two_that_fits(configure, cards, settings, rows):
    config = configure("task=gpu", *settings)
    found = batch_size.fit(config.start_file.read_text(), config.task, [Gpu("GPU-1", "", memory) for memory in cards])
    assert found is not None and found.rows == rows


@pytest.mark.parametrize(
    "settings",
    [["task.row_gb=null"], ["+task.constants.DEVICE_BATCH_SIZE=64"], ["task.device=cpu"]],
)
def test_what_the_user_sets_is_not_fitted(configure, nvidia, settings):
    nvidia(TWO_CARDS)
    stock = stock_of(configure("task=gpu", *settings))
    assert stock.batch is None
    assert source.constants(stock.text)["DEVICE_BATCH_SIZE"] == (64 if "64" in settings[0] else 128)


def test_nothing_else_of_the_stock_changes_and_it_is_fitted_once(configure, nvidia, tmp_path):
    config = configure("task=gpu")
    nvidia("")
    unfitted = stock_of(config).text
    nvidia(f"{SMALL}, 12288, NVIDIA GeForce RTX 3060\n")
    stock = stock_of(config)
    assert str(stock.batch) == "DEVICE_BATCH_SIZE=16, fitted to 12 GB of GPU memory"
    assert source.change(unfitted, stock.text).constants == {"DEVICE_BATCH_SIZE": (128, 16)}
    (tmp_path / "winner.py").write_text(stock.text)
    nvidia(f"{SMALL}, 8192, NVIDIA GeForce RTX 3050\n")
    assert stock_of(configure("task=gpu", f"start={tmp_path / 'winner.py'}")) == Stock(stock.text)
    nvidia(TWO_CARDS.partition("\n")[0] + "\n")
    assert stock_of(config).text == unfitted


@pytest.mark.parametrize(
    ("card", "settings", "said"),
    [
        (Gpu("GPU-1", "", 4.2), [], "not even one row fits into 4.2 GB.*CUDA_VISIBLE_DEVICES"),
        (Gpu("GPU-1", "", 80.0), ["task.vram_gb=3"], "not even one row fits into 3.0 GB"),
        (Gpu("MIG-1", "a slice", None), [], r"the memory of MIG-1 \(a slice\) is not known.*task.vram_gb="),
        (Gpu("0", "", 80.0), ["task.device=mps"], r"\+task.constants.DEVICE_BATCH_SIZE=4"),
    ],
)
def test_where_no_batch_can_be_chosen_it_is_said_with_a_remedy(configure, card, settings, said):
    config = configure("task=gpu", *settings)
    with pytest.raises(UserError, match=re.compile(said, re.DOTALL)) as refused:
        batch_size.fit(config.start_file.read_text(), config.task, [card])
    assert str(refused.value).count("\n") <= 1


def test_a_study_says_what_it_was_fitted_to_and_why_it_does_not_go_on_elsewhere(configure, nvidia, tmp_path):
    config = configure("task=smoke", "task.device=cuda", "task.row_gb=0.35", "~task.constants.DEVICE_BATCH_SIZE")
    prepared = prepare_data(config, lambda text: None)
    with Journal(tmp_path / "study", print) as journal:

        def begin():
            return open_study(config, Opening(stock_of(config), prepared.fingerprint, "none"), journal)

        nvidia(f"{SMALL}, 24564, NVIDIA GeForce RTX 4090\n")
        header = begin()
        assert "\nDEVICE_BATCH_SIZE=32, fitted to 24 GB of GPU memory\n" in greeting(config, tmp_path, header, [])
        nvidia(f"{SMALL}, 23034, NVIDIA L4\n")  # the same batch
        assert begin() == header
        nvidia(TWO_CARDS.partition("\n")[0] + "\n")
        with pytest.raises(UserError) as refused:
            begin()
    assert "began with DEVICE_BATCH_SIZE=32, fitted to 24 GB of GPU memory, and now it is DEVICE_BATCH_SIZE=128" in str(
        refused.value
    )


def test_tuning_on_a_small_card_needs_another_space_and_says_so(configure, nvidia, tmp_path):
    nvidia(f"{SMALL}, 8192, NVIDIA GeForce RTX 3050\n")
    config = configure("task=gpu", "strategy=optuna")
    with pytest.raises(UserError, match=r"space.DEVICE_BATCH_SIZE: does not hold the stock's own value 8"):
        make_strategy(config, stock_of(config).text, tmp_path)
    for change in ("~space.DEVICE_BATCH_SIZE", "space.DEVICE_BATCH_SIZE.low=2"):
        config = configure("task=gpu", "strategy=optuna", change)
        assert make_strategy(config, stock_of(config).text, tmp_path).stock == stock_of(config).text


def test_the_documents_table_of_batches_is_what_the_rule_gives(configure):
    task = configure("task=gpu").task
    rows = re.findall(r"^\| (\d+) GB \| (\d+) \|", (ROOT / ".github" / "docs" / "hardware.md").read_text(), re.MULTILINE)
    assert [int(memory) for memory, _ in rows] == [8, 12, 16, 24, 32, 48, 80]
    for memory, batch in rows:
        assert min(128, batch_size.rows_that_fit(float(memory), task.row_gb)) == int(batch)
