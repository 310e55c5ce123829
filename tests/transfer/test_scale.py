"""Another task: what becomes of the budget, of the limits and of every program."""

from __future__ import annotations

import pytest

from search.config.commands import SCALES, TransferConfig, check_transfer
from search.config.data_sets import data_named
from search.config.messages import UserError
from search.confirm.blocks import FIRST, Run, seed_of
from search.study import source
from search.transfer.scale import HardCoded, Scale

TEXT = "DEPTH = 3\nASPECT_RATIO = 64\nDEVICE_BATCH_SIZE = 48\nWIDTH = DEPTH * ASPECT_RATIO\nprint(DEPTH, ASPECT_RATIO)\n"


def test_a_longer_task_has_a_multiple_of_the_budget_and_a_name_of_its_own(configure):
    task = configure("task=smoke").task
    longer = Scale("longer", 2).task(task)
    assert (longer.budget.tokens, longer.budget.cap_seconds, longer.budget.seconds) == (32768, 120, None)
    assert longer.name == "smoke+longer-2" and Scale("longer", 2).program(TEXT, "cpu") == TEXT
    assert Scale("longer", 2).seconds("train", 10, task.budget) == 20
    assert Scale("wider", 2).task(task).weights_gb == 4 * task.weights_gb


@pytest.mark.parametrize(("kind", "name", "value"), [("deeper", "DEPTH", 6), ("wider", "ASPECT_RATIO", 128)])
def test_each_program_is_scaled_from_its_own_size_by_one_constant(kind, name, value):
    scaled = source.constants(Scale(kind, 2).program(TEXT, "cpu"))
    assert scaled == {**source.constants(TEXT), name: value}
    assert source.constants(Scale("wider", 2).program(TEXT, "cuda"))["DEVICE_BATCH_SIZE"] == 16  # of 24 a power of two


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TEXT.replace("DEPTH = 3", "depth = 3").replace("DEPTH", "depth"), "has no constant DEPTH"),
        (TEXT.replace("DEPTH * ", "3 * ").replace("print(DEPTH, ", "print(3, "), "its constant DEPTH is not used"),
    ],
)
def test_a_program_whose_size_is_hard_coded_is_named(text, why):
    with pytest.raises(HardCoded, match=why):
        Scale("deeper", 2).program(text, "cpu")


def test_no_transfer_shares_a_training_seed_with_another_or_with_the_confirmation():
    runs = [FIRST, *(Run("report", seed, repeat, 0, "stock") for seed in range(3) for repeat in range(20))]
    drawn = [{seed_of(run.replicate, seeds) for run in runs} for seeds in range(len(SCALES) + 1)]
    assert len(set.union(*drawn)) == sum(map(len, drawn))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"scale": "taller"}, "scale=taller: choose longer, deeper"),
        ({"scale": "longer", "factor": 1.0}, "factor=1.0"),
        ({"scale": "other-text"}, "data=null"),
        ({"scale": "wider", "folder": "x"}, "folder=x"),
    ],
)
def test_what_makes_no_sense_is_named(keys, message):
    with pytest.raises(UserError, match=message):
        check_transfer(TransferConfig(experiment="e", **keys))


def test_a_data_set_is_found_by_its_name_and_asks_for_its_folder():
    assert data_named("climbmix", "/c").corpus["folder"] == "/c/climbmix"
    assert data_named("files", "/c", "/texts").corpus["folder"] == "/texts"
    for name, folder, message in (("files", None, "folder="), ("../task/cpu", None, "is not a data set; choose")):
        with pytest.raises(UserError, match=message):
            data_named(name, "/c", folder)
