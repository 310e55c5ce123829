"""From a reply to a program: what is meant is found, what is not clear is sent back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.config.places import ROOT
from search.llm import edits
from search.study.flags import flags

PROGRAM = '''"""A program."""
A = 1
B = 2


def build_model(vocab_size, sequence_length):
    if A:
        return A
    return B


def main():
    x = A
    x = A
    return "größe"
'''


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    ("reply", "before", "after"),
    [
        (block("A = 1", "A = 3"), "A = 1", "A = 3"),
        ("Prose first.\n\n" + block("A = 1", "A = 3") + "and after", "A = 1", "A = 3"),
        ("```\n" + block("A = 1", "A = 3") + "```", "A = 1", "A = 3"),
        (block("A = 1", "A = 3").replace("\n", "\r\n"), "A = 1", "A = 3"),
        (block("A = 1\nB = 2", "A = 2"), "A = 1\nB = 2", "A = 2"),
        (block("    return B", ""), "    return B", ""),
        (block("  A  =  1", "A = 3"), "A = 1", "A = 3"),  # white space aside
        (block("if A:\n    return A", "if B:\n    return B"), "    if A:\n        return A", "    if B:\n        return B"),
        (block('    return "größe"', '    return "größer"'), "größe", "größer"),
        (block("A = 1", "A = 3") + block("B = 2", "B = 4"), "A = 1\nB = 2", "A = 3\nB = 4"),
    ],
)
def test_blocks_are_applied(reply, before, after):
    assert edits.new_program(reply, PROGRAM) == PROGRAM.replace(before, after)


WHOLE = PROGRAM.replace("A = 1", "A = 7")
FENCED = WHOLE.replace('"""A program."""', '"""A program.\n\n```python\nx = 1\n```\n"""')


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{WHOLE}```",
        f"Here it is:\n\n```\n{WHOLE}```\nDone.",
        f"First a sketch:\n```python\nA = 7\n```\nand now all:\n```python\n{WHOLE}```",
        f"````markdown\n```python\n{WHOLE}```\n````",
    ],
)
def test_a_whole_file_is_accepted(reply):
    assert edits.new_program(reply, PROGRAM).strip() == WHOLE.strip()


def test_a_fence_inside_a_fence_is_a_part_of_the_file():
    assert edits.new_program(f"```python\n{FENCED}```", PROGRAM).strip() == FENCED.strip()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("I would lower the learning rate.", "holds no edit"),
        ("", "holds no edit"),
        (block("    x = A", "    x = B"), "matches 2 places (lines 13, 14)"),
        (block("C = 1", "C = 2"), "matches nothing"),
        (block("", "C = 2"), "searches for nothing"),
        ("<<<<<<< SEARCH\nA = 1\n=======\nA = 2\n", "not ended"),
        ("<<<<<<< SEARCH\nA = 1\n>>>>>>> REPLACE\n", "has no line ======="),
        ("<<<<<<< SEARCH\nA = 1\n<<<<<<< SEARCH\nA = 1\n=======\n>>>>>>> REPLACE", "begins another"),
        (block("A = 1", "A = ("), "does not parse"),
        (block("def main():", "def other():"), "lacks the function main"),
        ("```python\nA = 7\n```", "lacks the function build_model and main"),
        ("```python\nA = 7\n", "does not end it"),
    ],
)
def test_what_is_not_clear_is_said(reply, said):
    with pytest.raises(edits.EditError, match=said.replace("(", r"\(").replace(")", r"\)")):
        edits.new_program(reply, PROGRAM)


def test_the_nearest_lines_are_quoted_back():
    with pytest.raises(edits.EditError) as refused:
        edits.new_program(block("def build_model(vocab_size, length):\n    if A:", "pass"), PROGRAM)
    assert "def build_model(vocab_size, sequence_length):\n    if A:" in str(refused.value)


@given(st.text())
def test_no_reply_breaks_the_parser(reply):
    with contextlib.suppress(edits.EditError):
        edits.check(edits.new_program(reply, PROGRAM))


@given(st.lists(st.sampled_from(["<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "A = 1", "```", "x"]), max_size=12))
def test_no_arrangement_of_marks_breaks_the_parser(lines):
    try:
        edits.new_program("\n".join(lines), PROGRAM)
    except edits.EditError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        ("NOTE: lower it\nHYPOTHESIS: x", "lower it"),
        ("**NOTE:** lower it", "lower it"),
        ("Note:   two\tspaces\x1b[31m", "two spaces [31m"),
        ("nothing", ""),
        ("NOTE: " + "x" * 500, "x" * 120),
    ],
)
def test_the_note_is_one_plain_line(reply, note):
    assert edits.field(reply, "note") == note


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("torch.manual_seed(137)", ("sets_seed",)),
        ("torch.cuda.manual_seed_all(1)", ("sets_seed",)),
        ("np.random.seed(0)", ("sets_seed",)),
        ("generator = np.random.default_rng(7)", ("sets_seed",)),
        ("generator = np.random.default_rng()", ()),
        ("x = 'manual_seed(3)'", ()),
        ("seed = 3", ()),
        ("import subprocess", ("uses_processes",)),
        ("from socket import create_connection", ("uses_network",)),
        ("import ctypes.util", ("uses_memory",)),
        ("__import__('ctypes')", ("uses_inspection", "uses_memory")),
        ("from threading import Thread", ("uses_threads",)),
        ("import time", ("uses_clock",)),
        ("open('notes', 'w')", ("writes_files",)),
        ("open(name, mode)", ("writes_files",)),
        ("open('notes')", ()),
        ("path.open('wb')", ("writes_files",)),
        ("torch.save(x, 'weights')", ("writes_files",)),
        ("from search import task", ()),
        ("from search.task.run import Run", ("touches_harness",)),
        ("import search.task.loader", ("touches_harness",)),
        ("run._channel.send({})", ("touches_harness",)),
        ("import torch\ntorch.nn.functional.cross_entropy = mine", ("patches_modules",)),
        ("import torch\nsetattr(torch, 'roll', mine)", ("patches_modules",)),
        ("import torch\ntorch.backends.cuda.matmul.allow_tf32 = True", ()),
        ("self.weight = torch.zeros(3)", ()),
    ],
)
def test_what_training_has_no_use_for_is_flagged(line, found):
    assert flags(line) == found


def test_the_stock_stands_out_in_nothing():
    assert flags((ROOT / "train.py").read_text()) == ()
