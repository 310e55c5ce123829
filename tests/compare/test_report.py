"""The report says what the analysis says, to strangers too, whatever stands in the notes; and its command."""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from mlflow import MlflowClient
from rich.console import Console

from search.compare.__main__ import COMMAND
from search.compare.analyse import planning
from search.compare.analyse.analysis import analyse
from search.compare.read import parse
from search.compare.show.numbers import times
from search.compare.show.pictures import canvas
from search.compare.show.pictures.album import Album, album_of
from search.compare.show.report import speed
from search.compare.show.report.blocks import Bullets, Table, plain
from search.compare.show.report.contents import report_of
from search.compare.show.report.glossary import TERMS
from search.compare.show.report.html import page
from search.compare.show.report.markdown import markdown
from search.compare.show.report.terminal import summarise
from search.compare.truth.example import EXAMPLE, publish_simulated
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records
from search.config.places import ROOT
from search.console import command_line
from search.tracking.colours import COLOURS, styles

HOSTILE = (
    "<script>alert(1)</script> \x1b[31mred\x1b[0m [link](http://evil.example) ![x](http://evil.example/x.png) | cell | "
    "**bold** `code` $x$ & \" ' \u202eturned\n# heading\n- list\x07"
)
SMALL = replace(AGENT, trials=6), replace(OPTUNA, trials=6), replace(CONTROL, trials=4)
EFFECTS = (
    replace(AGENT, tuning=0.02, code=0.03, trials=12),
    replace(OPTUNA, tuning=0.02, trials=12),
    replace(CONTROL, trials=4),
)
WORLDS = {
    "effects": World(rivals=EFFECTS, anchor_every=4),
    "no effects": World(rivals=SMALL),
    "unconfirmed": World(rivals=SMALL, studies=2, confirmed=False),
    "below the minima": World(rivals=SMALL, studies=2, repeats=2),
    "hostile": World(rivals=SMALL, studies=2, failures=0.3, repeats=3),
}


class Report:
    """Everything that is made of one simulated experiment."""

    def __init__(self, name: str) -> None:
        studies, confirmation, _ = records(0, WORLDS[name])
        if name == "hostile":
            poison(studies, confirmation)
        self.experiment = parse.experiment("simulated", studies, [] if confirmation is None else [confirmation])
        self.analysis = analyse(self.experiment)
        self.album = album_of(self.experiment, self.analysis)
        self.blocks = report_of(self.experiment, self.analysis, self.album)
        self.html, self.markdown = page(self.blocks), markdown(self.blocks)

    def terminal(self) -> str:
        console = Console(file=StringIO(), width=80)
        summarise(self.analysis, frozenset({"seeds"}), console)
        return console.file.getvalue()


def poison(studies, confirmation) -> None:
    """Put into a record whatever a candidate or an LLM can."""
    for _, rows in studies:
        for row in rows:
            row.update(note=HOSTILE, reason=HOSTILE)
            row["constants"] = dict.fromkeys(row["constants"], HOSTILE)
    for row in confirmation[1]:
        row["reason"] = HOSTILE


@pytest.fixture(scope="module")
def report():
    """Made once each, since drawing takes seconds."""
    return functools.cache(Report)


class Page(HTMLParser):
    """A page's tags, which must be closed in order, and its text."""

    VOID = ("meta", "img")
    INLINE = ("span", "code")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag not in self.INLINE:
            self.text += " "

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag not in self.INLINE:
            self.text += " "

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text += data


def text_of_markdown(text: str) -> str:
    """What is read in Markdown; escaped characters are letters."""
    text = re.sub(r"\\(.)", lambda found: chr(0xF0000 + ord(found[1])), text)
    text = re.sub(r"^(!\[[^\]]*\]\(pictures/[\w.-]+\.png\)|\| ---.*|```(sh)?)$", "", text, flags=re.M)
    text = re.sub(r"^(#+|-) ", "", text, flags=re.M).replace("**: ", " ").replace("**", "").replace("|", " ")
    return re.sub(r"[\U000F0000-\U000F00FF]", lambda found: chr(ord(found[0]) - 0xF0000), text)


@pytest.mark.parametrize("name", WORLDS)
def test_html_is_whole_and_brings_everything_with_it(report, name):
    parsed = Page(report(name).html)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "a", "base"})
    for tag, attributes in parsed.tags:
        assert not any(key.startswith("on") or key in ("href", "style", "srcset") for key in attributes)
        if "src" in attributes:
            assert tag == "img" and attributes["src"].startswith("data:image/svg+xml;base64,") and attributes["alt"]
    assert [attributes["class"] for tag, attributes in parsed.tags if tag == "p" and attributes] == ["lead"]
    style = re.search(r"<style>(.*)</style>", report(name).html, re.S)[1]
    assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize("name", WORLDS)
def test_markdown_and_html_say_the_same(report, name):
    assert Page(report(name).html).text.split() == text_of_markdown(report(name).markdown).split()


def test_hostile_words_are_shown_and_do_nothing(report):
    hostile = report("hostile")
    assert "<script>alert(1)</script>" in Page(hostile.html).text  # as text
    for text in (hostile.html, hostile.markdown, hostile.terminal()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert not re.search(r"(?<!\\)\]\(http|(?<!\\)<script|(?<!\\)\*\*bold|\w://evil", hostile.markdown)
    assert not re.search(r"^(# heading|- list)", hostile.markdown, re.M)
    rows = [line for line in hostile.markdown.splitlines() if "alert" in line and line.startswith("|")]
    assert rows and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {5, 6}  # columns of the tables they are in


def test_plain_text_has_no_power_over_a_terminal():
    assert plain("a\x1b[2Jb\r\nc\u202ed\ud800") == "a\ufffd[2Jb c\ufffdd\ufffd"


def claims(report) -> list[tuple[str, ...]]:
    """All rows of tables that state a claimed gain."""
    tables = [block for block in report.blocks if isinstance(block, Table) and "claimed gain" in block.columns]
    return [row for table in tables for row in table.rows]


def test_claims_without_confirmation_say_so_everywhere(report):
    unconfirmed = report("unconfirmed")
    rows = claims(unconfirmed)
    assert len(rows) == 3 + 6 and all("unconfirmed" in " ".join(row[:5]) for row in rows)
    assert "All gains are unconfirmed." in unconfirmed.html
    lines = [line for line in unconfirmed.terminal().splitlines() if re.match(r" (agent|optuna|seeds)", line)]
    assert len(lines) == 3 and all("unconfirmed" in line for line in lines)
    assert "python -m search.confirm experiment=simulated" in unconfirmed.terminal()
    assert not unconfirmed.album.contrasts and not unconfirmed.album.waterfalls
    assert not re.search(r"(?<!not )\bshown\b(?! where| for comparison)", " ".join(unconfirmed.analysis.verdict))


def test_curves_are_called_unconfirmed_even_where_winners_are_confirmed(report):
    for picture in report("effects").album.curves:
        assert "unconfirmed" in picture.title and "unconfirmed" in picture.caption


def test_confirmed_claims_are_not_called_unconfirmed(report):
    assert not any("unconfirmed" in cell for row in claims(report("effects")) for cell in row)
    assert "All gains are unconfirmed" not in report("effects").html


def test_below_the_minima_nothing_is_stated_and_the_commands_are_there(report):
    few = report("below the minima")
    assert {contrast.verdict for contrast in few.analysis.headline} == {"not stated"}
    assert not few.album.contrasts and "better than optuna-tpe: not stated." in few.html
    for missing in few.analysis.missing:
        assert missing.command in few.markdown and missing.what in few.markdown


def test_what_is_not_shown_is_called_not_shown(report):
    nothing = report("no effects")
    for contrast in nothing.analysis.headline:
        assert contrast.verdict == "not shown"
        assert f"{contrast.first} better than {contrast.second}: not shown." in nothing.html
    assert "not shown" in nothing.album.contrasts[0].title


def test_the_terminal_has_room_for_all_of_it(report):
    for name in WORLDS:
        assert len(report(name).terminal().splitlines()) <= 30


def test_there_is_a_picture_for_every_strategy_and_question(report):
    names = [picture.name for picture in report("effects").album.pictures]
    assert names == [
        *("headline", "contrasts", "curves_trials", "curves_hours", "curves_usd", "waterfall_agent-playbook"),
        *("winners_agent-playbook", "waterfall_optuna-tpe", "winners_optuna-tpe", "noise_floor", "drift", "speed"),
    ]
    for picture in report("effects").album.pictures:
        assert picture.png.startswith(b"\x89PNG") and b"<svg" in picture.svg and picture.alt and picture.title


@pytest.fixture
def figures(report, monkeypatch):
    """The figures themselves, instead of their bytes."""
    made = report("effects")  # before anything is patched
    seen = []
    monkeypatch.setattr(canvas, "_svg", lambda figure: seen.append(figure) or b"")
    monkeypatch.setattr(canvas, "_png", lambda figure: b"")
    album_of(made.experiment, made.analysis)
    return dict(zip([picture.name for picture in made.album.pictures], seen, strict=True))


def test_no_axis_of_curves_is_truncated_without_an_inset_from_zero(figures):
    for name in ("curves_trials", "curves_hours", "curves_usd"):
        (axes,) = figures[name].axes
        (inset,) = axes.child_axes
        assert axes.get_ylim()[0] > 0 and inset.get_ylim()[0] == 0
        assert inset.get_ylim()[1] >= max(max(line.get_ydata()) for line in axes.lines)
        assert [list(line.get_ydata()) for line in axes.lines] == [list(line.get_ydata()) for line in inset.lines]


def test_curves_hold_every_study_every_median_and_the_band_of_luck(report, figures):
    analysis = report("effects").analysis
    (axes,) = figures["curves_trials"].axes
    drawn = [tuple(line.get_ydata()) for line in axes.lines]
    for curve in (*analysis.curves, *(median for median in analysis.medians if median.axis == "trials")):
        assert tuple(curve.best) in drawn
    longest = max(len(curve.trial) for curve in analysis.curves)
    assert tuple(analysis.noise.null_band.expected[:longest]) in drawn
    labels = axes.get_legend_handles_labels()[1]
    assert "luck alone: 5 to 95 %" in labels and ("luck alone, extrapolated" in labels) == (
        longest > analysis.noise.null_band.measured_to
    )


def test_bars_and_intervals_of_a_waterfall_are_the_numbers(report, figures):
    (axes,) = figures["waterfall_agent-playbook"].axes
    result = report("effects").analysis.strategies[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    ends = [start + width for start, width in bars]
    assert bars[0] == (0, result.claimed.value) and ends[6] == pytest.approx(result.gain.value)
    assert bars[1][1] == pytest.approx(-result.luck.value)
    # What is left after luck and shift is where tuning and code end, and what is confirmed on validation.
    assert ends[2] == pytest.approx(ends[4]) == pytest.approx(ends[5]) == result.gain_on_validation.value
    whiskers = {line.get_ydata()[0]: tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"}
    assert whiskers[6] == (result.gain.low, result.gain.high)


def test_pairs_and_their_difference_are_the_numbers(report, figures):
    scores, differences = figures["headline"].axes
    contrast = report("effects").analysis.headline[0]
    assert [list(line.get_xdata()) for line in scores.lines] == [[pair.first, pair.second] for pair in contrast.pairs]
    intervals = [tuple(line.get_xdata()) for line in differences.lines]
    assert (contrast.advantage.low, contrast.advantage.high) in intervals
    low, high = differences.get_xlim()
    assert low <= 0 <= high  # no difference without its zero


def test_dots_of_the_speed_are_the_control_and_the_line_is_its_slope(report, figures):
    made = report("effects")
    (axes,) = figures["speed"].axes
    rows = [row for study in made.experiment.control for row in study.trials]
    tokens, scores = axes.collections[0].get_offsets().T
    assert list(scores) == [row.val_bpb for row in rows]
    assert list(tokens / tokens[0]) == pytest.approx([row.tokens / rows[0].tokens for row in rows])
    (line,) = axes.lines
    (left, *_, right), (high, *_, low) = line.get_xdata(), line.get_ydata()
    fewer = math.log(left / right) / math.log(0.99)
    assert high - low == pytest.approx(fewer * made.analysis.speed.tokens[0].slope.value)
    assert (left, right) == pytest.approx((tokens.min(), tokens.max()))


def test_same_analysis_same_bytes(report):
    made = report("below the minima")
    again = Report("below the minima")
    assert again.html == made.html and again.markdown == made.markdown and again.album == made.album


def test_terms_are_in_order_and_explained_once():
    terms = [term for term, _ in TERMS]
    assert terms == sorted(set(terms))


def test_one_colour_per_strategy_and_shades_for_its_variants():
    agents = {"agent-a": ("agent", "agent"), "agent-b": ("agent", "agent"), "zed": ("zed", "agent")}
    names = {**agents, "seeds": ("seeds", "control"), "mine": ("mine", "baseline"), "optuna-tpe": ("optuna", "baseline")}
    found = styles(names)
    assert found == styles(dict(reversed(names.items())))
    assert len({style.colour for style in found.values()}) == len(names)
    assert found["agent-a"].colour == COLOURS["agent"][0] and found["agent-a"].dash != found["agent-b"].dash
    assert styles({"optuna-tpe": ("optuna", "baseline")})["optuna-tpe"].colour == COLOURS["baseline"][0]


# ---- the command ----


def run(*given: str) -> int:
    return command_line.run(COMMAND, given)


def no_nan(word: str) -> None:
    raise AssertionError(word)


def test_comparing_writes_publishes_and_replaces(clone, tmp_path):
    stranger = replace(OPTUNA, label="zed", name="zed", trials=6)
    uri = publish_simulated(tmp_path, World(rivals=(*SMALL, stranger), studies=1, repeats=2))
    arguments_ = ("experiment=simulated", f"tracking.uri={uri}")
    first = clone.run(*arguments_, module="search.compare")
    folder = clone.root / "mlruns" / "reports" / "simulated" / "cpu"
    assert first.returncode == 0, first.stdout
    assert f"report: {folder}/report.html" in first.stdout and "mlflow server --backend-store-uri" in first.stdout
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    assert {"report.html", "report.md", "report.json", "pictures/curves_trials.png"} <= files.keys()
    assert json.loads(files["report.json"], parse_constant=no_nan)["schema"] >= 1
    for name in re.findall(r"\]\((pictures/[\w.-]+)\)", files["report.md"].decode()):
        assert name in files

    assert clone.run(*arguments_, module="search.compare").returncode == 0  # another process, another hash seed
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")} == files
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("simulated")
    (published,) = client.search_runs([experiment.experiment_id], "tags.kind = 'report'")
    assert f"/runs/{published.info.run_id}/artifacts/report.html" in first.stdout
    assert {artifact.path for artifact in client.list_artifacts(published.info.run_id)} >= {"report.html", "pictures"}
    assert experiment.tags["mlflow.note.content"].startswith(
        "**Task cpu: agent-playbook better than optuna-tpe: not stated."
    )
    assert "How to read this page" in experiment.tags["mlflow.note.content"]
    studies = client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
    colours = {run.data.tags["strategy"]: run.data.tags["mlflow.runColor"] for run in studies}
    firsts = {first for first, *_ in COLOURS.values()}
    assert {colours["agent"], colours["optuna"]} <= firsts and len(set(colours.values())) == 4


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    world = World(rivals=(replace(CONTROL, trials=2),), studies=1, confirmed=False)
    uri = publish_simulated(folder, world)
    publish_simulated(folder, world, name="two-tasks")
    publish_simulated(folder, world, name="two-tasks", task="gpu")
    publish_simulated(folder, replace(world, rivals=()), name="bare")
    return uri


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["experiment=nothing"], "experiment=nothing:"),
        (["experiment=bare"], "experiment=bare: has no study"),
        (["experiment=two-tasks"], "task=NAME"),
        (["experiment=simulated", "task=smoke"], "has no study"),
        (["experiment=simulated", "tracking.uri=http://127.0.0.1:9"], "tracking.uri=http://127.0.0.1:9: cannot be used"),
        (["experiment=simulated", "tracking.uri=sqlite:////nowhere/mlflow.db"], "tracking.uri=sqlite:////nowhere"),
        (["experiment=simulated", "out=/proc/nowhere"], "/proc/nowhere: cannot be written"),
        (["experimant=simulated"], "did you mean experiment?"),
    ],
    ids=str,
)
def test_refusals_are_told_in_two_lines(store, capsys, given, said):
    uri = [] if any(key.startswith("tracking.uri=") for key in given) else [f"tracking.uri={store}"]
    assert run(*given, *uri) == 1
    told = capsys.readouterr().err.strip()
    assert told.startswith("error: ") and said in told and len(told.splitlines()) <= 2


def test_one_task_of_several_can_be_chosen(store, capsys, tmp_path):
    assert run("experiment=two-tasks", "task=gpu", f"tracking.uri={store}", f"out={tmp_path}") == 0
    assert "two-tasks, task gpu: 1 study, 2 trials" in capsys.readouterr().out
    assert "two-tasks: is it the agent" in (tmp_path / "report.html").read_text()


# ---- the pages that explain it ----


def words(path) -> str:
    """A page's text, without the ends of its lines and the marks of quotations."""
    return " ".join(re.sub(r"^> ", "", path.read_text(), flags=re.M).split())


def test_the_page_about_the_report_quotes_what_the_program_says():
    text = words(ROOT / ".github" / "docs" / "report.md")
    studies, confirmation, _ = records(0, EXAMPLE)
    analysis = analyse(parse.experiment("simulated", studies, [confirmation]))
    for sentence in analysis.verdict:
        assert sentence in text
    for block in speed.machine(analysis, Album((), (), (), (), ())):
        for sentence in block.items if isinstance(block, Bullets) else ():
            assert sentence in text
    quick, usual = (times(analysis.speed.winners[strategy].value) for strategy in ("agent-playbook", "optuna-tpe"))
    assert f"on average {quick} for the agent's winners, {usual} for Optuna's" in text
    for term, meaning in TERMS:
        assert f"**{term}**: {meaning}" in text


def test_the_page_about_planning_quotes_what_the_program_says():
    text = (ROOT / ".github" / "docs" / "planning.md").read_text()
    for repeats in (5, 10):
        plan = planning.Assumptions(0.012, 0.004, (0.004, 0.008, 0.012, 0.024), repeats, planning.CONTRASTS)
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in planning.table_rows(planning.table(plan)))
        assert rows in text
