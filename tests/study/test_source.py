"""Reading, setting and comparing `train.py` texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.config.places import ROOT
from search.study import source

STOCK = (ROOT / "train.py").read_text()
TEXT = 'A = 1  # one\nB: float = -0.5\nNAME = "ä"; C = 3\nlower = 4\nCALL = int(1)\n\n\ndef f():\n    D = 5\n    return D\n'


def test_constants_are_upper_case_literals_at_module_level():
    assert source.constants(TEXT) == {"A": 1, "B": -0.5, "NAME": "ä", "C": 3}


@pytest.mark.parametrize(
    ("line", "constants"),
    [
        ("A = 2**18", {"A": 262144}),
        ("A = 1 << 18", {"A": 262144}),
        ("A = 0.04 * 1.25", {"A": 0.05}),
        ("A = -(3 // 2)", {"A": -1}),
        ("A, B = 0.9, 0.95", {"A": 0.9, "B": 0.95}),
        ("A: float = 1 / 4", {"A": 0.25}),
    ],
)
def test_arithmetic_is_a_constant_and_can_be_set(line, constants):
    assert source.constants(line) == constants
    changed = source.set_constants(line, {"A": 7})
    assert source.constants(changed) == {**constants, "A": 7}
    assert source.change(line, changed).kind == "constants"


@pytest.mark.parametrize(
    "line", ["A = 9**9**9", "A = 1 << 10**9", "A = 1 / 0", "A = 'x' * 10**9", "A = B + 1", "A, B = f()"]
)
def test_what_is_no_arithmetic_or_too_large_is_code(line):
    assert source.constants(line) == {}


def test_the_published_baseline_is_the_stock():
    values = source.constants(STOCK)
    published = {
        "DEPTH": 8,
        "ASPECT_RATIO": 64,
        "HEAD_DIM": 128,
        "TOTAL_BATCH_SIZE": 2**19,
        "DEVICE_BATCH_SIZE": 128,
        "EMBEDDING_LR": 0.6,
        "UNEMBEDDING_LR": 0.004,
        "MATRIX_LR": 0.04,
        "SCALAR_LR": 0.5,
        "WEIGHT_DECAY": 0.2,
        "ADAM_BETA1": 0.8,
        "ADAM_BETA2": 0.95,
        "WARMUP_RATIO": 0.0,
        "WARMDOWN_RATIO": 0.5,
        "FINAL_LR_FRAC": 0.0,
        "WINDOW_PATTERN": "SSSL",
    }
    assert {name: values[name] for name in published} == published
    assert STOCK.count("\n") <= 450


def test_setting_a_constant_changes_nothing_else():
    assert source.set_constants(TEXT, {"C": 7, "NAME": 'q"x', "B": 2.5}) == TEXT.replace("= 3", "= 7").replace(
        '"ä"', '"q\\"x"'
    ).replace("-0.5", "2.5")


@given(
    st.dictionaries(
        st.sampled_from(["A", "B", "C", "NAME"]),
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    )
)
def test_what_is_set_is_what_is_read(values):
    text = source.set_constants(TEXT, values)
    assert source.constants(text) == {**source.constants(TEXT), **values}
    assert source._without_values(text) == source._without_values(TEXT)  # so that `change` need not look


def test_an_unknown_constant_is_named():
    with pytest.raises(source.UnknownConstant, match="WIDTH"):
        source.set_constants(TEXT, {"WIDTH": 1})


def test_a_task_fits_a_text_once():
    fitted = source.fit_to_task(TEXT, "cpu", {"A": 2})
    assert source.constants(fitted)["A"] == 2
    winner = source.set_constants(fitted, {"A": 9})
    assert source.fit_to_task(winner, "cpu", {"A": 2}) == winner
    with pytest.raises(ValueError, match="task=cpu"):
        source.fit_to_task(winner, "gpu", {"A": 2})
    assert source.fit_to_task(TEXT, "gpu", {}) == TEXT


def test_a_program_is_the_same_up_to_comments_and_formatting():
    assert source.program_hash("x = 1  # a\n\n\ny = (2)\n") == source.program_hash("x=1\ny=2")
    assert source.program_hash("x = 1") != source.program_hash("x = 2")


@pytest.mark.parametrize(
    ("after", "kind", "changed"),
    [
        (TEXT, "none", {}),
        (TEXT.replace("# one", "# uno"), "none", {}),
        (TEXT.replace("A = 1", "A = 2"), "constants", {"A": (1, 2)}),
        (TEXT.replace("return D", "return D + 1"), "code", {}),
        (TEXT.replace("A = 1", "A = 2").replace("return D", "return 0"), "both", {"A": (1, 2)}),
        (TEXT + "E = 9\n", "code", {}),
        (TEXT.replace("A = 1", "A = 1 + 1"), "constants", {"A": (1, 2)}),
    ],
)
def test_kind_of_change(after, kind, changed):
    change = source.change(TEXT, after)
    assert (change.kind, change.constants) == (kind, changed)


def test_lines_are_counted():
    change = source.change("a = 1\nb = 2\n", "a = 1\nc = 3\nd = 4\n")
    assert (change.lines_added, change.lines_removed) == (2, 1)


def test_an_added_annotation_is_no_change_of_code():
    assert source.change("A = 1\n", "A: int = 1\n").kind == "none"
    assert source.change("A: int = 1\n", "A: float = 2\n").kind == "constants"
