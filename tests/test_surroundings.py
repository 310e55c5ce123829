"""Odd surroundings: a container's user, another locale, an environment that somebody else has set."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from search.config.places import ROOT
from search.runner.stock import stock_of
from search.study.journal import FILE

UNLISTED_USER = "import pwd\n\ndef unknown(of):\n    raise KeyError(of)\n\npwd.getpwuid = pwd.getpwnam = unknown\n"
NOTE = "größer, 日本"


@pytest.fixture
def unlisted(quick_clone, monkeypatch):
    """A copy that is run by a user without an entry in the system's list."""
    (quick_clone.root / "sitecustomize.py").write_text(UNLISTED_USER)
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(quick_clone.root))
    return quick_clone


def test_a_study_runs_for_a_user_whom_nobody_knows_and_in_ascii(unlisted, monkeypatch):
    ascii_only = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    for name, value in ascii_only.items():
        monkeypatch.setenv(name, value)
    line = next(line for line in (unlisted.root / "train.py").read_text().splitlines() if line.startswith("MUON_MOM"))
    edit = f"<<<<<<< SEARCH\n{line}\n=======\nMUON_MOMENTUM = 0.9  # {NOTE}\n>>>>>>> REPLACE"
    (unlisted.root / "mine.yaml").write_text(json.dumps([{"note": NOTE, "hypothesis": NOTE, "edit": edit}]))
    done = unlisted.run("strategy=agent", "llm=playbook", "llm.file=mine.yaml", "task=smoke", "study.trials=2")
    assert done.returncode == 0, done.stdout
    assert NOTE.encode("ascii", "backslashreplace").decode() in done.stdout and done.stdout.isascii()
    journal = (unlisted.study("autoresearch/smoke/agent-playbook/0") / FILE).read_text(encoding="utf-8")
    assert [line["outcome"]["status"] for line in map(json.loads, journal.splitlines()) if line["kind"] == "told"] == [
        "completed",
        "completed",
    ]


def test_a_missing_home_is_named_and_an_empty_cache_is_none(unlisted, monkeypatch):
    monkeypatch.setenv("FAIRTRIAL_CACHE", "")
    asked = ["task=smoke", "data=files", "data.corpus.folder=~nobody-is-called-so/texts"]
    done = unlisted.run(*asked, module="search.prepare")
    assert (
        done.stdout
        == "error: ~nobody-is-called-so/texts: ~nobody-is-called-so is not a home folder here; give the path without it\n"
    )
    assert "~/.cache/fairtrial" in unlisted.run("--cfg", "job", "--package", "cache", module="search.prepare").stdout
    monkeypatch.delenv("HOME")
    done = unlisted.run(*asked, module="search.prepare")
    assert done.returncode == 1 and done.stdout.count("\n") == 2
    assert done.stdout.startswith("error: the home folder is not known") and "HOME=/tmp" in done.stdout


def test_the_documented_folder_in_the_home_works_without_quotes(clone, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number}.txt").write_text(f"document {number}: " + " ".join(str(number * k) for k in range(200)))
    documented = (ROOT / "conf" / "data" / "files.yaml").read_text().partition("`")[2].partition("`")[0].split()
    done = clone.run(*documented, "task=smoke", "task.vocab_size=300", module="search.prepare")
    assert done.returncode == 0 and "train: 5" in done.stdout, done.stdout


def test_glob_in_a_multirun_is_checked_as_every_other_sweep(clone):
    checked = clone.run("-m", "strategy=glob(opt*)", "task=smoke", "study.trials=0")
    assert checked.returncode == 1 and "nothing was started" in checked.stdout
    assert "strategy=optuna" in checked.stdout and "study.trials=0: must be above 0" in checked.stdout
    empty = clone.run("-m", "strategy=glob(zzz*)", "task=smoke")
    assert (empty.returncode, empty.stdout.count("\n")) == (
        1,
        1,
    ) and "strategy=glob(zzz*): has no such choice" in empty.stdout


def test_what_is_asserted_is_only_told_to_the_type_checker():
    """python -O leaves asserts out; what must hold is never one."""
    narrowing = []
    for path in (*(ROOT / "search").rglob("*.py"), *(ROOT / "baselines").rglob("*.py")):
        if {"testing", "truth"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                narrowing.append((ast.unparse(node.test), path))
    wrong = [(text, path) for text, path in narrowing if " is not None" not in text and not text.startswith("isinstance(")]
    assert narrowing and not wrong


def test_a_link_to_a_disk_that_is_not_there_is_named(clone, tmp_path):
    (clone.root / "mlruns").symlink_to(tmp_path / "unmounted")
    done = clone.run("strategy=seeds", "task=smoke")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1), done.stdout
    assert f"is a link to {tmp_path}/unmounted, which does not exist" in done.stdout


def test_a_name_that_is_too_long_is_told_as_that(clone):
    done = clone.run("strategy=seeds", "task=smoke", f"experiment={'x' * 300}")
    assert done.returncode == 1 and "use a shorter name" in done.stdout and "free space" not in done.stdout


CLOSED = """
import os, subprocess, sys
from search.console import start
start.open_standard_files()
look = "import os; [os.fstat(number) for number in (0, 1, 2)]"
exec(look)
subprocess.run([sys.executable, "-c", look], check=True)
"""


def test_a_command_whose_standard_files_are_closed_has_some():
    command = 'exec "$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", command, sys.executable, CLOSED], cwd=ROOT, check=True)


def test_a_start_file_may_begin_with_the_mark_of_windows(configure, tmp_path):
    (tmp_path / "mine.py").write_text((ROOT / "train.py").read_text(), encoding="utf-8-sig")
    assert stock_of(configure("task=smoke", f"start={tmp_path / 'mine.py'}")).text == stock_of(configure("task=smoke")).text
