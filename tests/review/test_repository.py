"""The kept programs come out of git by their hashes, and nothing of a stranger's repository is run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from search.config.messages import UserError
from search.config.overrides import prepared
from search.config.places import CONF, ROOT
from search.config.schema import Config
from search.config.validate import load
from search.console import command_line
from search.review.__main__ import COMMAND
from search.review.git import commit_of, write_tree
from search.review.repository import programs
from tests.review.nights import make_night

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
    assert "kept programs: 2 of another harness, 1 of this harness, 1 cannot be parsed, 1 not in" in capsys.readouterr().out
    told = json.loads((page / "report.json").read_text())["programs"]
    assert [one["found"] for one in told] == [
        *("of another harness", "of another harness", "of this harness", "cannot be parsed"),
        *("not in the repository", "the log names no commit"),
    ]
    assert told[0]["revision"] == f"{rows[1][0]}^" and told[1]["kind"] == "constants"
    assert (told[1]["lines_added"], told[1]["lines_removed"]) == (1, 1) and told[3]["kind"] is None
    assert (page / "programs" / f"002-{rows[1][0]}.py").read_text() == THEIRS.format(depth=9)
    assert "The kept programs" in (page / "report.md").read_text()


def test_keeps_of_this_harness_are_given_commands_that_can_be_pasted(tmp_path, capsys):
    stock = (ROOT / "train.py").read_text()
    texts = [stock.replace("WEIGHT_DECAY = 0.2", f"WEIGHT_DECAY = 0.{at}") for at in range(2, 5)]
    log = make_night(tmp_path / "night", {at: (text, 1 - at / 10) for at, text in enumerate(texts, 1)}, commits=3)
    page = tmp_path / "page"
    given = [f"log={log}", f"repository={log.parent}", f"out={page}", "noise.sd=0.001", "keeps=all"]
    assert command_line.run(COMMAND, given) == 0
    study, confirm, compare = (
        shlex.split(line)[3:] for line in capsys.readouterr().out.splitlines() if " -m search" in line
    )
    config = load(compose_study(study))
    assert config.strategy["name"] == "given" and config.study.trials == 3 and config.start.endswith(".py")
    assert [path.read_text() for path in sorted(Path(config.strategy["programs"]).iterdir())] == texts[1:]
    assert Path(config.start).read_text() == texts[0]
    assert confirm == [f"experiment={config.experiment}", "repeats=5", "at=[2]"] and compare == confirm[:1]

    assert command_line.run(COMMAND, [*given, "runner=plain"]) == 1
    assert "made for fairtrial, which trains and scores them itself" in capsys.readouterr().err


def compose_study(words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=prepared(words, Config, sweeps=False))


FILTER = '[filter "evil"]\n\tsmudge = touch {mark}; cat\n'


def test_a_tree_is_written_whole_and_nothing_of_its_repository_is_run(tmp_path):
    folder, work = tmp_path / "night", tmp_path / "work"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "data.bin").write_bytes(b"\0\n\xff" * 100)
    (folder / "run.sh").write_text("echo")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("../secret")
    (folder / ".gitattributes").write_text("* filter=evil\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    with (folder / ".git" / "config").open("a") as config:
        config.write(FILTER.format(mark=tmp_path / "ran"))
    work.mkdir()
    write_tree(folder, commit_of(folder, "HEAD"), work)
    assert sorted(path.name for path in work.iterdir()) == [".gitattributes", "lib", "link", "run.sh"]
    assert (work / "lib" / "data.bin").read_bytes() == b"\0\n\xff" * 100 and os.access(work / "run.sh", os.X_OK)
    assert (work / "link").readlink() == Path("../secret") and not (tmp_path / "ran").exists()


def test_a_folder_that_is_no_repository_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot be read as a git repository"):
        programs(tmp_path, "train.py", ())
