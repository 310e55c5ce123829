"""The report says what the findings say, to strangers too, whatever stands in the notes; and its command."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from io import StringIO
from typing import get_args, get_type_hints

import pytest
from mlflow import MlflowClient
from rich.console import Console

from search.compare.__main__ import COMMAND
from search.compare.analyse.analysis import Analysis
from search.compare.analyse.finding import Name, Scope
from search.compare.show.markdown import markdown_of
from search.compare.show.numbers import Numbers
from search.compare.show.pictures import pictures_of
from search.compare.show.pictures.parts import parts_of
from search.compare.show.terminal import summarise
from search.compare.truth.example import publish_simulated
from search.compare.truth.world import CONTROL, World
from search.config.places import ROOT
from search.console import command_line
from search.page.html import html_of
from search.page.markdown import picture_file
from search.page.text import markdown, plain, verbatim
from search.tracking.colours import COLOURS, NEUTRAL, styles
from tests.compare.experiments import WORLDS, told, told_of

DOCS = ROOT / ".github" / "docs"


class Page(HTMLParser):
    """A page's tags, which must be closed in order, its text, and the cells of each table's rows."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text += data
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += data


def unfolded(page: str) -> str:
    return re.sub(r"<details>.*?</details>", "", page, flags=re.S)


def table(name: str, column: str) -> list[dict[str, str]]:
    """The rows of the first table that has that column, by name of column."""
    head, *rows = next(rows for rows in Page(told(name).html).tables if column in rows[0])
    return [dict(zip(head, row, strict=True)) for row in rows]


def numbers_of(value, numbers: Numbers) -> set[str]:
    """All numbers of a JSON value, as a report writes them."""
    if isinstance(value, dict | list):
        return set().union(*(numbers_of(one, numbers) for one in (value.values() if isinstance(value, dict) else value)))
    return {numbers.signed(value), numbers.plain(value)} if isinstance(value, float) else set()


@pytest.mark.parametrize("name", ["effects", "nothing", "unplanned"])
def test_no_number_of_verdict_and_main_tables_is_not_in_the_json(name):
    numbers = told(name).compared.view.numbers
    known = numbers_of(told(name).json, numbers)
    rows = [*table(name, "overfitting"), *table(name, "by itself"), *table(name, "speed")]
    cells = [cell for row in rows for key, cell in row.items() if key not in ("p", "speed")]
    said = [re.sub(r"p [=<] [\d.]+|below [\d.]+|difference=\S+", "", one) for one in told(name).json["verdict"]]
    found = re.findall(r"[+-]?\d\.\d+", " ".join([*cells, *said]))
    assert len(found) > 100 and {number.replace("+", "") for number in found} <= {one.replace("+", "") for one in known}


def test_each_row_of_the_main_table_is_its_findings():
    view = told("effects").compared.view
    rows = {row["strategy"]: row for row in table("effects", "overfitting")}
    assert list(rows) == ["agent-playbook", "optuna-tpe"]
    columns = {"claimed": "claimed", "survived (95 %)": "gain", "luck": "luck", "tuning": "tuning"}
    for strategy in ("agent-playbook", "optuna-tpe"):
        row, found = rows[strategy], told("effects").json["findings"]
        mine = {one["name"]: one["estimate"] for one in found if one["subject"] == strategy and one["at"] is None}
        for column, name in columns.items():
            value, low, high = (view.numbers.signed(mine[name][key]) for key in ("value", "low", "high"))
            assert row[column] == f"{value} ({low} to {high})"
        winners = [one for one in found if one["name"] == "gain" and one["scope"] == "program" and one["at"] is None]
        shown = [one["verdict"] for one in winners if f"/{strategy}/" in one["subject"]]
        assert row["winners that gain by themselves"] == f"{Counter(shown)['shown']} of {len(shown)}"
    assert rows["optuna-tpe"]["code"] == "unchanged"


def test_a_claim_is_the_sum_of_its_parts_in_the_picture_too():
    view = told("effects").compared.view
    for strategy in view.rivals:
        claimed = view.analysis.find(Scope.STRATEGY, Name.CLAIMED, strategy).estimate.value
        bars = {part: estimate.value for part, estimate in parts_of(view, strategy).items()}
        assert list(bars) == ["luck", "other text", "overfitting", "tuning", "code"]
        assert sum(bars.values()) == pytest.approx(claimed)
        said = next(one for one in told("effects").json["verdict"] if one.startswith(f"{strategy} claims"))
        assert all(view.numbers.signed(bars[part]) in said for part in ("luck", "other text", "overfitting", "tuning"))
    assert list(parts_of(view, "seeds")) == ["luck"]
    unconfirmed = told("unconfirmed").compared.view
    assert list(parts_of(unconfirmed, "optuna-tpe")) == ["unconfirmed"]


@pytest.mark.parametrize("name", WORLDS)
def test_html_is_whole_and_brings_everything_with_it(name):
    page = Page(told(name).html)
    assert {tag for tag, _ in page.tags}.isdisjoint(
        {"script", "link", "iframe", "object", "embed", "form", "a", "base", "svg"}
    )
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") or key in ("href", "style", "srcset", "src") for key in attributes), tag
    assert "default-src 'none'" in told(name).html
    for rows in page.tables:  # no cell was made or lost
        assert len({len(row) for row in rows}) == 1
    assert not re.search(r"\{\{|\bNone\b(?! that)|Undefined", page.text)


def test_hostile_words_are_shown_and_do_nothing():
    hostile = told("hostile")
    assert "<script>alert(1)</script>" in Page(hostile.html).text  # as text
    for text in (hostile.html, hostile.markdown, hostile.terminal):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text) and "x" * 400 not in text
    assert not re.search(
        r"(?<!\\)\]\(http|(?<!\\)<(script|img)|(?<!\\)\*\*bold|(?<!\\)`code|\w://evil|www\.evil", hostile.markdown
    )
    assert not re.search(r"^(# heading|- list)", hostile.markdown, re.M)
    assert "alert" in hostile.terminal and len(hostile.terminal) < 60_000
    assert json.dumps(hostile.json).count("evil") > 100  # which keeps what was written


def test_the_winners_diff_is_in_the_page_and_cannot_leave_its_block():
    experiment = told("one study only").experiment
    change = "-a = 1\n+b = 2\x1b[2J\n```\n+<script>alert(1)</script>\n# heading\n"
    changed = tuple(replace(study, change=change) for study in experiment.studies)
    it = told_of(replace(experiment, studies=changed))
    block = "<pre><code><del>-a = 1</del>\n<ins>+b = 2\ufffd[2J</ins>\n<span>```</span>\n<ins>+&lt;script&gt;"
    assert it.html.count(block) == 2 and "heading</h1>" not in it.html
    assert "is not at hand" in told("one study only").html and verbatim("a\tb\r\n  c\x07") == "a   b\n  c\ufffd"


def test_first_the_answer_then_the_details_which_are_folded():
    for name in WORLDS:
        text = Page(unfolded(told(name).html)).text.split()
        assert len(text) <= 900 or name == "hostile"
        assert told(name).html.count("<details>") == told(name).markdown.count("\n### ")
        head = told(name).html.partition("<h2>")[0]
        assert all(markup in head for markup in ("<table>", "<li>")) and "<details>" not in head


def test_each_contrast_is_said_once_and_only_words_that_are_used_are_explained():
    it = told("effects")
    assert unfolded(it.html).count("the advantage is") == len(it.compared.view.everywhere(Scope.CLAIM)) == 2
    assert "<strong>too early to say</strong>" in told("unconfirmed").html
    assert "too early to say" not in it.html.lower()


def test_plain_text_has_no_power_over_a_terminal_or_markdown():
    assert plain("a\x1b[2Jb\r\nc\u202ed\ud800") == "a\ufffd[2Jb c\ufffdd\ufffd"
    assert markdown("a_b*c|d <e>\n@f") == r"a\_b\*c\|d \<e\> \@f"


@pytest.mark.parametrize("name", WORLDS)
def test_the_terminal_is_eighty_columns_wide_and_short(name):
    lines = told(name).terminal.splitlines()
    if name == "hostile":
        return
    assert all(len(line) <= 80 for line in lines if " -m search" not in line) and len(lines) <= 40
    view = told(name).compared.view
    for label in view.rivals:  # each cell in one piece
        cells = (view.name(label), view.of(Scope.STRATEGY, Name.GAIN, label))
        assert any(all(cell in line for cell in cells) for line in lines)


def test_a_long_name_has_a_line_of_its_own_and_one_strategy_needs_no_table():
    view = told("one study only").compared.view
    console = Console(file=StringIO(), width=80)
    view.name = lambda subject: f"{subject}-with-a-name-as-long-as-some-models-have"
    summarise(view, (), console)
    printed = console.file.getvalue()
    assert "\nagent-playbook-with-a-name-as-long-as-some-models-have\n   " in printed and "survived (95 %)" in printed
    alone = told_of(replace(told("no control").experiment, studies=told("no control").experiment.of("agent-playbook")))
    assert "survived (95 %)" not in alone.terminal and "agent-playbook claims" in alone.terminal


@pytest.mark.parametrize("name", ["unconfirmed", "no control", "one study only"])
def test_what_is_missing_is_said_with_its_command_and_nothing_of_strategies_is_shown(name):
    it = told(name)
    assert it.compared.view.analysis.missing
    for missing in it.compared.view.analysis.missing:
        assert markdown(missing.what) in it.markdown
    assert it.compared.view.analysis.commands
    for command in it.compared.view.analysis.commands:
        assert command in it.markdown and command in it.terminal
    first, *others = it.json["verdict"]
    assert first.startswith("Is agent-playbook better than optuna-tpe? Too early to say: ")
    of_programs = re.compile(r"not their strategies|better than the stock\?|Are the winners")
    assert not any(re.search(r"\bshown\b", one) for one in others if not of_programs.search(one))


def test_every_field_of_the_json_is_documented_and_every_documented_one_is_there():
    text = (DOCS / "report-json.md").read_text()
    documented = {
        heading: re.findall(r"^- `([\w.]+)`", body, re.M)
        for heading, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    }
    classes = {kind.__name__: [item.name for item in fields(kind)] for kind in _dataclasses(Analysis)}
    classes["Analysis"] = ["verdict", "cautions", *classes["Analysis"]]
    assert {name: set(names) for name, names in documented.items()} == {name: set(names) for name, names in classes.items()}
    assert set(told("effects").json) == set(classes["Analysis"]) and f"schema is {told('effects').json['schema']}" in text


def _dataclasses(kind: type) -> set[type]:
    """A dataclass and all that its fields hold."""
    found, inner = {kind}, list(get_type_hints(kind).values())
    while inner:
        hint = inner.pop()
        inner += get_args(hint)
        if is_dataclass(hint) and hint not in found:
            found |= _dataclasses(hint)
    return found


def test_the_json_holds_the_whole_analysis_and_comes_back_as_it_was():
    it = told("effects")
    assert len(it.json["findings"]) == len(it.compared.view.analysis.findings)
    for read, finding in zip(it.json["findings"], it.compared.view.analysis.findings, strict=True):
        assert (read["scope"], read["name"], read["verdict"]) == (finding.scope, finding.name, finding.verdict)
        assert read["p"] == finding.p and (read["estimate"] or {}).get("value") == (
            finding.estimate and finding.estimate.value
        )


def test_pictures_are_inside_the_page_and_beside_the_markdown_and_always_the_same():
    it = told("effects")
    colours = styles({study.strategy: (study.name, study.role) for study in it.experiment.studies})
    pictures = pictures_of(it.experiment, it.compared.view, colours)
    names = [picture.name for picture in pictures]
    assert names == ["parts", "trials_trials", "trials_usd", "machine"]  # in hours there is nothing new
    assert pictures_of(it.experiment, it.compared.view, colours) == pictures
    for picture in pictures:
        assert picture.png.startswith(b"\x89PNG") and picture.alt and picture.caption
        assert b"prefers-color-scheme:dark" in picture.svg and b"#222222;" not in picture.svg  # dark lines are light there
    text = markdown_of(it.experiment, it.compared.view, it.compared.cautions, pictures)
    assert re.findall(r"\]\((.*?)\)$", text, re.M) == [picture_file(name) for name in names]
    images = [attributes for tag, attributes in Page(html_of(text, "title", pictures)).tags if tag == "img"]
    assert len(images) == len(names) and all(one["src"].startswith("data:image/svg+xml;base64,") for one in images)


# ---- the command ----


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    uri = publish_simulated(folder, WORLDS["one study only"])
    alone = World((CONTROL,), confirmed=False, plans=((1, 5),))
    publish_simulated(folder, alone, name="two-tasks")
    publish_simulated(folder, alone, name="two-tasks", task="gpu")
    return uri


def run(*given: str) -> int:
    return command_line.run(COMMAND, given)


def test_comparing_writes_and_publishes_and_replaces(store, tmp_path, capsys):
    for _ in range(2):
        assert run("experiment=simulated", f"tracking.uri={store}", f"out={tmp_path}") == 0
    printed = capsys.readouterr().out
    assert f"report: {tmp_path}/report.html" in printed and "search.ui experiment=simulated" in printed
    assert {"report.html", "report.md", "report.json", "pictures"} == {path.name for path in tmp_path.iterdir()}
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("simulated")
    (published,) = client.search_runs([experiment.experiment_id], "tags.kind = 'report'")
    assert {one.path for one in client.list_artifacts(published.info.run_id)} == {
        "report.html",
        "report.md",
        "report.json",
        "pictures",
    }
    first = json.loads((tmp_path / "report.json").read_text())["verdict"][0]
    note = experiment.tags["mlflow.note.content"]
    assert note.startswith(f"Task cpu: {markdown(first)}") and "\\<" not in note
    studies = client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
    colours = {run.data.tags["strategy"]: run.data.tags["mlflow.runColor"] for run in studies}
    assert published.data.tags["mlflow.runColor"] == NEUTRAL
    confirmed = [run.data.tags["mlflow.note.content"] for run in studies if run.data.tags["strategy"] != "seeds"]
    assert all(note.startswith("- **Gain over the stock, trained again") and note.count("---") == 1 for note in confirmed)
    assert colours == {"agent": COLOURS["agent"][0], "optuna": COLOURS["baseline"][0], "seeds": COLOURS["control"][0]}


def test_one_task_of_several_can_be_chosen(store, capsys, tmp_path):
    assert run("experiment=two-tasks", "task=gpu", f"tracking.uri={store}", f"out={tmp_path}") == 0
    assert "two-tasks, task gpu: 1 study, 12 trials" in capsys.readouterr().out
    assert "studies of both are needed" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["experiment=nothing"], "experiment=nothing:"),
        (["experiment=two-tasks"], "task=NAME"),
        (["experiment=simulated", "task=smoke"], "has no study"),
        (["experiment=simulated", "contrasts=agent-playbook"], "must be pairs such as 'agent-x>optuna-tpe"),
        (["experiment=simulated", "contrasts=a>b"], "a is no strategy here; there are agent-playbook, optuna-tpe, seeds"),
        (["experiment=simulated", "contrasts=a>a,a>b"], "contrasts=a>a,a>b: must be pairs"),
        (["experiment=simulated", "delta=0"], "delta=0.0: must be a number above 0"),
        (["experiment=simulated", "tracking.uri=http://127.0.0.1:9"], "tracking.uri=http://127.0.0.1:9: cannot be used"),
        (["experiment=simulated", "tracking.uri=sqlite:////nowhere/mlflow.db"], "tracking.uri=sqlite:////nowhere"),
        (["experiment=two-tasks", "task=gpu", "out=/proc/nowhere"], "/proc/nowhere: cannot be written"),
        (["experimant=simulated"], "did you mean experiment?"),
    ],
    ids=str,
)
def test_refusals_are_told_in_two_lines(store, capsys, given, said):
    uri = [] if any(key.startswith("tracking.uri=") for key in given) else [f"tracking.uri={store}"]
    assert run(*given, *uri) == 1
    wrong = capsys.readouterr().err.strip()
    assert wrong.startswith("error: ") and said in wrong and len(wrong.splitlines()) <= 2


def test_the_page_about_the_report_quotes_what_the_program_says():
    text = " ".join(re.sub(r"^> ", "", (DOCS / "report.md").read_text(), flags=re.M).split())
    for sentence in told("effects").json["verdict"]:
        assert sentence in text
