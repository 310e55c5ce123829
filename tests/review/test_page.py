"""The command, the page and its numbers, whatever stands in the log."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from search.config.places import ROOT
from search.console import command_line
from search.review.__main__ import COMMAND
from tests.compare.test_report import Page
from tests.review.logs import TABS

HOSTILE = TABS.replace("larger batch", "<script>alert(1)</script> | `a` [x](http://x) \x1b[31m")
CALL = """
import runpy, sys
sys.argv = ["search.review", *sys.argv[1:]]
try:
    runpy.run_module("search.review", run_name="__main__")
except SystemExit as end:
    assert not end.code
heavy = {"torch", "mlflow", "optuna", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "results.tsv"
    path.write_text(HOSTILE, encoding="utf-8")
    return path


def test_the_command_says_its_verdict_and_writes_a_page(log, tmp_path):
    given = [f"log={log}", f"out={tmp_path / 'page'}", "noise.sd=0.001"]
    done = subprocess.run([sys.executable, "-c", CALL, *given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Beyond luck: of the claimed +0.0105, at least +0.0075 (71 %) is a true gain" in done.stdout
    told = json.loads((tmp_path / "page" / "report.json").read_text())
    assert told["schema"] == "fairtrial.review/1" and told["beyond_luck"] is True and told["verdict"][0] in done.stdout
    page = Page((tmp_path / "page" / "report.html").read_text(encoding="utf-8"))
    keeps = next(table for table in page.tables if table[0][0] == "trial")
    assert [row[5] for row in keeps[1:]] == ["start", "beyond luck", "within noise"]
    assert keeps[2][7].startswith("<script>alert(1)</script> | `a` [x](http://x)")
    assert not {"script", "a", "link"} & {tag for tag, _ in page.tags}
    images = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 1 and images[0].startswith("data:image/svg+xml;base64,")
    assert (tmp_path / "page" / "pictures" / "night.png").read_bytes().startswith(b"\x89PNG")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "log: is not set; give the file"),
        ("log=/nowhere.tsv", "log=/nowhere.tsv: No such file or directory; give the path"),
        ("direction=up", "direction=up: choose lower, higher"),
        ("runner=plain", "runner=plain: needs repository="),
        ("keeps=some", "keeps=some: choose best, beyond, all"),
        ("noise.sd=0", "noise.sd=0.0: must be a number above 0"),
        ("noise.runs=5", "noise.runs=5: says how noise.sd was measured"),
        ("noise.sd=1 noise.published=h200", "noise.published=h200: give this or noise.sd, not both"),
    ],
)
def test_what_is_wrong_is_said(capsys, given, said):
    assert command_line.run(COMMAND, given.split()) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")
