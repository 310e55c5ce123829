"""The kept programs come out of git by their hashes, and nothing of a stranger's repository is run."""

from __future__ import annotations

import json
import subprocess

import pytest

from search.config.messages import UserError
from search.config.places import ROOT
from search.console import command_line
from search.review.__main__ import COMMAND
from search.review.repository import programs

THEIRS = "import prepare\nDEPTH = {depth}\nprint('val_bpb: 0.99')\n"
HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


@pytest.fixture
def night(tmp_path):
    """A repository in the field's shape, and its log: the start is named by a word, a keep is written for this harness, one
    is broken, and one is not there."""
    folder = tmp_path / "night"
    folder.mkdir()

    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    rows, texts = [], [THEIRS.format(depth=8), THEIRS.format(depth=9), (ROOT / "train.py").read_text(), "def ("]
    for at, text in enumerate(texts):
        (folder / "train.py").write_text(text)
        (folder / "prepare.py").write_text("")
        git("add", ".")
        git("commit", "-qm", f"change {at}")
        rows.append((git("rev-parse", "--short=7", "HEAD") if at else "baseline", 1 - at / 100, "keep", f"change {at}"))
    rows.append(("deadbee", 0.9, "keep", "not pushed"))
    rows.append(("--upload-pack=x", 0.8, "keep", "no hash"))
    lines = (f"{commit}\t{score:.6f}\t44.0\t{status}\t{description}\n" for commit, score, status, description in rows)
    log = folder / "results.tsv"
    log.write_text(HEAD + "".join(lines))
    return folder, log, rows


def test_kept_programs_are_found_named_and_written(night, tmp_path, capsys):
    folder, log, rows = night
    page = tmp_path / "page"
    assert command_line.run(COMMAND, [f"log={log}", f"repository={folder}", f"out={page}", "noise.sd=0.001"]) == 0
    assert "Kept programs: 2 of another harness, 1 of this harness, 1 cannot be parsed, 1 not in" in capsys.readouterr().out
    told = json.loads((page / "report.json").read_text())["programs"]
    assert [one["found"] for one in told] == [
        *("of another harness", "of another harness", "of this harness", "cannot be parsed"),
        *("not in the repository", "the log names no commit"),
    ]
    assert told[0]["revision"] == f"{rows[1][0]}^" and told[1]["kind"] == "constants"
    assert (told[1]["lines_added"], told[1]["lines_removed"]) == (1, 1) and told[3]["kind"] is None
    assert (page / "programs" / f"002-{rows[1][0]}.py").read_text() == THEIRS.format(depth=9)
    assert "The kept programs" in (page / "report.md").read_text()


def test_a_folder_that_is_no_repository_is_said(tmp_path):
    with pytest.raises(UserError, match="is no git repository that can be read"):
        programs(tmp_path, "train.py", ())
