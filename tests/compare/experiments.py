"""Simulated experiments for tests of what is said about them, each compared once."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from io import StringIO

from rich.console import Console

from search.compare.comparison import Comparison, comparison_of, files_of
from search.compare.read import parse
from search.compare.read.tables import Experiment
from search.compare.show.terminal import summarise
from search.compare.truth.example import EXAMPLE
from search.compare.truth.trainer import Noise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, records

HOSTILE = (
    "<script>alert(1)</script> \x1b[31mred\x1b[0m [link](http://evil.example) ![x](http://evil.example/x.png) | cell | "
    "**bold** `code` $x$ & \" ' \u202eturned\n# heading\n- list\x07 <img src=x onerror=alert(2)> www.evil.example "
    + "x"
    * 10_000
)
TRIO = (AGENT, OPTUNA, CONTROL)
WORLDS = {
    "effects": EXAMPLE,
    "nothing": World(),
    "moving": World(noise=Noise(drift=0.003)),
    "unconfirmed": World(confirmed=False),
    "no control": World((AGENT, OPTUNA), plans=((2, 5),)),
    "one study only": World(plans=((1, 5),)),
    "unplanned": World(plans=((6, 3), (6, 4)), at=(4,)),
    "hostile": World((replace(AGENT, crashes=0.3, fails=0.3), OPTUNA, CONTROL), plans=((2, 5),)),
}


@dataclass(frozen=True)
class Told:
    """An experiment and everything that is told of it, without pictures."""

    experiment: Experiment
    compared: Comparison
    html: str
    markdown: str
    json: dict
    terminal: str


def told_of(experiment: Experiment, compared: Comparison | None = None) -> Told:
    compared = compared or comparison_of(experiment)
    files = {name: data.decode() for name, data in files_of(compared, ())}
    console = Console(file=StringIO(), width=80)
    summarise(compared.view, compared.cautions, console)
    read = json.loads(files["report.json"], parse_constant=_no_nan)
    return Told(experiment, compared, files["report.html"], files["report.md"], read, console.file.getvalue())


@functools.cache
def told(name: str) -> Told:
    studies, confirmation, _ = records(0, WORLDS[name])
    if name == "hostile":
        studies, confirmation = poisoned(studies, confirmation)
    return told_of(parse.experiment("simulated", studies, [] if confirmation is None else [confirmation]))


def without_llm(experiment: Experiment) -> Experiment:
    """In which a playbook stood in for the agent's LLM: its replies took no tokens."""
    studies = []
    for study in experiment.studies:
        strategy = study.header["config"]["strategy"]
        if strategy["role"] == "agent":
            llm = {**strategy["llm"], "about": "a hand-picked list of edits"}
            config = {**study.header["config"], "strategy": {**strategy, "llm": llm}}
            rows = tuple(replace(row, asked_llm=False) for row in study.rows)
            study = replace(study, header={**study.header, "config": config}, rows=rows)
        studies.append(study)
    return replace(experiment, studies=tuple(studies))


def poisoned(studies, confirmation):
    """With whatever a candidate or an LLM can put into a record, and as names of strategies and studies too."""
    label = json.dumps(HOSTILE)[1:-1]
    studies, confirmation = json.loads(json.dumps([studies, confirmation]).replace("agent-playbook", label))
    for _, rows in studies:
        for row in rows:
            row.update(note=HOSTILE, reason=HOSTILE, doubts=[HOSTILE])
            row["constants"] = {HOSTILE: HOSTILE}
    for row in confirmation[1]:
        row["reason"] = HOSTILE
    return studies, confirmation


def _no_nan(word: str) -> None:
    raise AssertionError(word)
