"""From a reply to a program: what is meant is found, what is not clear is sent back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.agent.keep_rules import Program
from search.config.places import ROOT
from search.llm import edits, fields
from search.llm.answer import answer, no_answer
from search.llm.reply import Reply
from search.study import source
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
        (block("A = 1", "B = 2") + block("B = 2", "B = 4"), "A = 1\nB = 2", "B = 2\nB = 4"),  # as it was shown
        (block("A = 1", "A = 3\nC = 5") + block("C = 5", "C = 6"), "A = 1", "A = 3\nC = 6"),  # put there by the first
    ],
)
def test_blocks_are_applied(reply, before, after):
    assert edits.new_program(reply, PROGRAM) == PROGRAM.replace(before, after)


NEAR_MISSES = {
    "a blank first line": block("\nA = 1", "\nA = 3"),
    "a blank last line": block("A = 1\n\n\n", "A = 3"),
    "six chevrons": "<<<<<< SEARCH\nA = 1\n======\nA = 3\n>>>>>> REPLACE",
    "eight chevrons": "<<<<<<<< SEARCH\nA = 1\n========\nA = 3\n>>>>>>>> REPLACE",
    "no blank after the chevrons": "<<<<<<<SEARCH\nA = 1\n=======\nA = 3\n>>>>>>>REPLACE",
    "a file's name at the mark": "<<<<<<< SEARCH train.py\nA = 1\n=======\nA = 3\n>>>>>>> REPLACE train.py",
    "a file's name under the mark": block("train.py\nA = 1", "A = 3"),
    "a fence at the mark": "```<<<<<<< SEARCH\nA = 1\n=======\nA = 3\n>>>>>>> REPLACE```",
    "fences in both parts": block("```python\nA = 1\n```", "```python\nA = 3\n```"),
    "a fence around both parts": block("```python\nA = 1", "A = 3\n```"),
    "a file's name and a fence": block("`train.py`\n```\nA = 1\n```", "```\nA = 3\n```"),
    "old words": "<<<<<<< ORIGINAL\nA = 1\n=======\nA = 3\n>>>>>>> UPDATED",
    "a byte order mark": "\ufeff" + block("A = 1", "A = 3"),
    "no word at the end": "<<<<<<< SEARCH\nA = 1\n=======\nA = 3\n>>>>>>>",
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_that_can_only_mean_one_thing_is_taken(name):
    assert edits.new_program(NEAR_MISSES[name], PROGRAM) == PROGRAM.replace("A = 1", "A = 3")


DIFFS = {
    "wrong line numbers": "--- a/train.py\n+++ b/train.py\n@@ -71,2 +80,9 @@ def f\n-A = 1\n+A = 3\n B = 2\n",
    "no numbers": "```diff\n@@\n-A = 1\n+A = 3\n B = 2\n\n\n```",
    "no line of @@": "--- train.py\n+++ train.py\n-A = 1\n+A = 3\n",
    "a patch": "*** Begin Patch\n*** Update File: train.py\n@@\n-A = 1\n+A = 3\n*** End Patch",
    "a notebook after it": "@@ -2 +2 @@\n-A = 1\n+A = 3\n\nNOTES:\n- tried A\n",
}


@pytest.mark.parametrize("name", DIFFS)
def test_a_diff_is_applied_by_its_content(name):
    assert edits.new_program(DIFFS[name], PROGRAM) == PROGRAM.replace("A = 1", "A = 3")


def test_a_line_without_its_trailing_comment_is_found_where_that_is_unique():
    program = PROGRAM.replace("A = 1", 'A = 1  # "layers"').replace("x = A\n    x = A", "x = A  # once\n    x = A  # twice")
    assert edits.new_program(block("A = 1\nB = 2", "A = 3\nB = 4"), program) == program.replace("A = 1", "A = 3").replace(
        "B = 2", "B = 4"
    )
    with pytest.raises(edits.EditError, match="matches 2 places"):
        edits.new_program(block("    x = A", "    x = B"), program)
    with pytest.raises(edits.EditError, match="matches nothing"):
        edits.new_program(block("A = 2", "A = 3"), program)


def test_a_rule_of_equal_signs_in_a_block_is_no_divider():
    program = PROGRAM.replace('"""A program."""', '"""Title\n=====\n"""')
    reply = block('"""Title\n=====\n"""\nA = 1', '"""Title\n=====\n"""\nA = 3')
    assert edits.new_program(reply, program) == program.replace("A = 1", "A = 3")


def test_blocks_that_change_the_same_lines_are_refused():
    with pytest.raises(edits.EditError, match="blocks 1 and 2 overlap: both change line 3 of"):
        edits.new_program(block("A = 1\nB = 2", "A = 2\nB = 3") + block("B = 2", "B = 4"), PROGRAM)


def test_a_block_that_matches_nothing_is_told_the_lines_that_were_shown():
    with pytest.raises(edits.EditError) as refused:
        edits.new_program(block("A = 1", "A = 3") + block("A = 1\nB = 3", "B = 4"), PROGRAM)
    assert str(refused.value).endswith("The nearest lines are:\nA = 1\nB = 2")


WHOLE = PROGRAM.replace("A = 1", "A = 7")
FENCED = WHOLE.replace('"""A program."""', '"""A program.\n\n```python\nx = 1\n```\n"""')


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{WHOLE}```",
        f"Here it is:\n\n```\n{WHOLE}```\nDone.",
        f"First a sketch:\n```python\nA = 7\n```\nand now all:\n```python\n{WHOLE}```",
        f"~~~python\n{WHOLE}~~~",
        f"````markdown\n```python\n{WHOLE}```\n````",
        "Step:\n```python\nA = 7\n```\n" * 40 + f"All:\n```python\n{WHOLE}```\n",
        "Step:\n```python\ndef build_model():\n    pass\n```\n" * 40 + f"```python\n{WHOLE}```\n" + "```\nA = 7\n```\n" * 40,
        f"```python\n{WHOLE}```\nThe part that is new:\n```python\ndef build_model(a, b):\n    ...\n```\n",
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
        ("@@ -2 +2 @@\n-C = 1\n+C = 2\n", "hunk 1 matches nothing"),
        ("@@ -2 +2 @@\n+C = 2\n", "hunk 1 searches for nothing"),
        ("```diff\n@@ -2 +2 @@\n-A = 1\nA = 3\n```", "line 4 of the reply, in a diff, begins with none of"),
        (
            "--- a/search/task/run.py\n+++ b/search/task/run.py\n@@ -1 +1 @@\n-A = 1\n+A = 3\n",
            "only train.py can be changed",
        ),
        (block("2: A = 1\n3: B = 2", "2: A = 2\n3: B = 2"), "quotes lines with their numbers"),
        (block("  2 | A = 1", "  2 | A = 2"), "quotes lines with their numbers"),
        (block("L2: A = 1", "L2: A = 2"), "quotes lines with their numbers"),
        (block("2 A = 1\n3 B = 2", "2 A = 2\n3 B = 2"), "quotes lines with their numbers"),
        ("```python\n" + "".join(f"{n} {line}\n" for n, line in enumerate(WHOLE.splitlines(), 1)) + "```", "carry numbers"),
        (block("B = 2", "from __future__ import annotations"), "does not compile: from __future__"),
        (block("B = 2", "return 2"), "does not compile: 'return' outside function"),
        (block("def main():", "def main(a, a):"), "does not compile: duplicate argument"),
        (block("A = 1", f"A = {'9' * 5000}"), "Exceeds the limit"),
        (block("A = 1", f"A = 0x{'f' * 4000}"), "cannot be recorded: Exceeds the limit"),
        (block("    x = A\n    x = A", f"    x = 0x{'f' * 4000}"), "cannot be recorded: Exceeds the limit"),
        (block("A = 1", f"A = {'-' * 1500}1"), "nested more than 100 levels"),
        (block("A = 1", 'A = "\\ud800"'), "cannot be recorded: 'utf-8' codec can't encode"),
        (block("A = 1", f"{'A' * 300} = 1"), "a name of 300 characters"),
        (block("A = 1", f"A = {'(' * 500}1{')' * 500}"), "does not parse"),
        (block("A = 1", f"A = 1{' + 1' * 5000}"), "recursion depth"),
        (block("A = 1", "A = '\0'"), "null bytes"),
    ],
    ids=str,
)
def test_what_is_not_clear_is_said(reply, said):
    with pytest.raises(edits.EditError) as refused:
        edits.new_program(reply, PROGRAM)
    assert said in str(refused.value)


def test_a_program_at_the_edge_of_what_is_read_breaks_nothing_of_ours():
    deep = edits.new_program(block("A = 1", f"A = {'-' * 90}1"), PROGRAM)
    assert source.change(PROGRAM, deep).constants == {"A": (1, 1)} or source.change(PROGRAM, deep).kind
    assert flags(deep) == () and Program(0, deep).length


THOUGHTS = {
    "a thought": "<think>{}</think>\n{}",
    "an end without a beginning": "{}</think>{}",
    "two thoughts": "<think>a</think><think>{}</think>{}",
    "an end behind a quote": "<think>{}`x`</think>\n{}",
    "large letters": "<THINK>{}</THINK>{}",
    "thinking": "<thinking>{}</thinking>{}",
    "Mistral's": "[THINK]{}[/THINK]{}",
    "Kimi's": "◁think▷{}◁/think▷{}",
    "gpt-oss's": "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}",
}


@pytest.mark.parametrize("name", THOUGHTS)
def test_what_a_model_thinks_is_no_part_of_its_answer(name):
    draft, final = f"NOTE: no\n{block('A = 1', 'A = 9')}", f"NOTE: yes\n{block('A = 1', 'A = 3')}"
    said = answer(THOUGHTS[name].format(draft, final))
    assert fields.note(said) == "yes" and edits.new_program(said, PROGRAM) == PROGRAM.replace("A = 1", "A = 3")


def test_a_thought_that_does_not_end_is_no_answer():
    assert answer(f"<think>{block('A = 1', 'A = 9')}").strip() == ""
    assert answer("A = '<think>'\nB = '</think>'") == "A = '<think>'\nB = '</think>'"
    assert answer(f"{block('A = 1', 'A = 3')}<think>or rather").strip() == block("A = 1", "A = 3").strip()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("x", "stop", "m"), ""),
        (Reply("", "stop", "m"), "is empty"),
        (Reply("x", "length", "m"), "cut off (finish reason 'length')"),
        (Reply("<think>x", "length", "m"), "cut off while it was still reasoning"),
        (Reply("", "MAX_TOKENS", "m", reasoning="hm"), "cut off while it was still reasoning"),
        (Reply("", "stop", "m", reasoning="hm"), "reasoning only"),
        (Reply("<think>hm</think>\n", "stop", "m"), "reasoning only"),
        (Reply("", "stop", "m", refusal="I\nwill not"), "the model refused: I will not"),
        (Reply("", "content_filter", "m"), "filter"),
        (Reply("half", "content_filter", "m"), "filter"),
        (Reply("", "tool_calls", "m", tools="edit"), "calls a tool (edit)"),
        (Reply("", "function_call", "m"), "calls a tool"),
        (Reply("x", "tool_calls", "m", tools="edit"), ""),
    ],
)
def test_replies_without_an_answer_are_told_apart(reply, reason):
    assert reason in no_answer(reply) and bool(reason) == bool(no_answer(reply))


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
        ("**NOTE:** lower it**", "lower it"),
        ("Note:   two\tspaces\x1b[31m", "two spaces [31m"),
        ("nothing of note: really", ""),
        (block("# NOTE: in code", "# NOTE: in code") + "NOTE: lower it", "lower it"),
        ("NOTE: " + "x" * 500, "x" * 120),
    ],
)
def test_the_note_is_one_plain_line(reply, note):
    assert fields.note(reply) == note


SAID = f"""IDEAS:
- structure: a copy head (expect -0.02)
- tune: A to 3
## Hypothesis

because the copy
is cheap.

And it is exact.
EXPECT: \u22120.012 bits
BASE: trial 7

{block("A = 1  # NOTES: none", "A = 3  # NOTES: none")}
NOTES:
- A = 3 next
- HYPOTHESIS: holds
"""


@pytest.mark.parametrize(
    "edit",
    [SAID, SAID.replace(block("A = 1  # NOTES: none", "A = 3  # NOTES: none"), f"```python\n{WHOLE}# NOTES: no\n```")],
)
def test_all_that_stands_beside_an_edit_is_read_whole(edit):
    assert fields.hypothesis(edit) == "because the copy is cheap. And it is exact."
    assert (fields.expected(edit), fields.base(edit)) == (-0.012, 7)
    assert fields.notes(edit) == "- A = 3 next\n- HYPOTHESIS: holds"
    assert fields.expected("EXPECT: -1e999") is None  # which no JSON holds
    assert fields.notes("NOTE: x") is None and fields.expected("NOTE: x") is None and fields.base("NOTE: x") is None
    assert len(fields.notes("NOTES: " + "x" * 5000)) == 2000


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
