"""Which parts of a program an edit touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study import source
from search.study.touched import MOST_PARTS, MOST_WORDS, REST, code_from, touched

TEXT = '''import math
A = 1  # one
B, C = 0.5, "x"


class Net(nn.Module):
    """Words."""

    width = 4

    def forward(self, x):
        return norm(x) * 2


class Plain:
    def step(self, lr):
        self.x = lr


def rate(progress):
    return 1.0
'''


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("A = 1", "A = 2**3", {"A": []}),
        ("B, C = 0.5,", "B, C = 0.25,", {"B": []}),
        ("B, C", "D, C", {"B, C": ["B", "C"], "D, C": ["C", "D"]}),
        ("norm(x) * 2", "norm(x) * 3", {"Net(nn.Module).forward": ["norm", "x"]}),  # a number: the words of its line
        ("norm(x) * 2", "rms(x) * 2", {"Net(nn.Module).forward": ["norm", "rms"]}),  # what came and went
        ("width = 4", "width = 5", {"Net(nn.Module)": ["width"]}),
        ("self.x = lr", "self.x = lr * A", {"Plain.step": ["A"]}),
        ("def rate", "def pace", {"pace": ["pace", "progress"], "rate": ["progress", "rate"]}),
        ("import math", "import cmath", {REST: ["cmath", "math"]}),
        ("A = 1  # one\n", "A = 1\nE = 2\n", {"E": ["E"]}),
        ("import math\nA = 1  # one\n", "A = 1\nimport math\n", {REST: []}),  # the order
        ('"""Words."""', '"""Other words."""', {}),
        ("A = 1  # one", "A: int = 2 - 1", {}),
        ("return 1.0", "return (1.0)  # so", {}),
    ],
)
def test_the_parts_and_their_words(before, after, found):
    assert before in TEXT
    assert touched(TEXT, TEXT.replace(before, after)) == found


def test_code_is_told_by_what_differs_from_the_stocks():
    changed = TEXT.replace("* 2", "* 3")
    first, again = code_from(TEXT, changed), code_from(TEXT, changed.replace("A = 1", "A = 7"))
    assert first == again and list(first) == ["Net(nn.Module).forward"]
    assert code_from(TEXT, TEXT.replace("* 2", "* 4")) != first and code_from(TEXT, TEXT) == {}
    new = [code_from(TEXT, TEXT.replace("A = 1", f"A = 1\nE = {value}")) for value in (2, 3)]
    assert [list(code) for code in new] == [["E"], ["E"]] and new[0] != new[1]  # of a constant that the stock lacks
    assert code_from(TEXT, TEXT.partition("def rate")[0]) == {"rate": ""}


def test_an_edit_that_rewrites_everything_stays_small_on_record():
    many = "def f():\n" + "".join(f"    name{number} = {number}\n" for number in range(99))
    assert len(touched("def f():\n    x = 1\n", many)["f"]) == MOST_WORDS
    parts = "".join(f"def f{number}(): return {number}\n" for number in range(999))
    assert len(touched("", parts)) == len(code_from("", parts)) == MOST_PARTS


LINES = TEXT.splitlines(keepends=True)
PUT = ("", "    pass\n", "X = 1\n", "A = 2\n", "# word\n", "        y = x\n")


@given(st.integers(0, len(LINES) - 1), st.integers(0, 3), st.sampled_from(PUT))
def test_an_edit_touches_something_where_it_changes_something_and_nothing_else(at, count, put):
    edited = "".join([*LINES[:at], put, *LINES[at + count :]])
    try:
        change = source.change(TEXT, edited)
    except SyntaxError:
        return
    assert bool(touched(TEXT, edited)) == (change.kind != "none")
    assert touched(edited, edited) == {} == code_from(edited, edited)
    assert set(change.constants) <= set(touched(TEXT, edited))
