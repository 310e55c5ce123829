"""The winners' speed: told only where it was measured anew or is so by definition."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from search.compare.analyse.analysis import analyse
from search.compare.show.pictures.album import Album
from search.compare.show.report.contents import report_of
from search.compare.show.report.markdown import markdown
from search.compare.show.report.terminal import summarise
from search.compare.truth.world import AGENT, CONTROL, OPTUNA, World, simulate_experiment

RIVALS = (replace(AGENT, trials=4), replace(OPTUNA, trials=4), replace(CONTROL, trials=10))
SMALL = World(RIVALS, studies=1)


def report(experiment):
    return markdown(report_of(experiment, analyse(experiment), Album((), (), (), (), ())))


def winners_speeds(text):
    """By study: the column of the report's table."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    (at,) = (i for i, cells in enumerate(lines) if "winner's speed" in cells)
    rows = itertools.takewhile(lambda cells: len(cells) > 1, lines[at + 2 :])
    return {cells[1]: cells[lines[at].index("winner's speed")] for cells in rows}


def shown(experiment):
    """The lines of the terminal's table by their first word."""
    console = Console(file=StringIO(), width=120)
    summarise(analyse(experiment), frozenset({"seeds"}), console)
    lines = [line for line in console.file.getvalue().splitlines() if re.match(r" \S", line)]
    return {line.split()[0]: line for line in lines}


def test_a_winners_speed_is_its_merit():
    """The machine slows down by 1 % an hour; the agent's programs are 12 % quicker than the stock, whatever the hour."""
    agent = replace(AGENT, trials=4, kinds=("code",), code=0.2, speed=1.12)
    analysis = analyse(simulate_experiment(0, World((agent, *RIVALS[1:]), studies=3, drift=0.01)))
    winners = {study.study.split("/", 2)[2]: study.winner for study in analysis.speed.studies}
    for name in ("agent-playbook/0", "agent-playbook/1", "agent-playbook/2"):
        assert winners[name].source == "confirmation" and winners[name].low < 1.12 < winners[name].high
        assert winners[name].low > 1.09
    assert analysis.speed.winners["agent-playbook"].value == pytest.approx(1.12, abs=0.01)
    assert winners["seeds/0"].source == "definition" and analysis.speed.winners["seeds"].value == 1


def test_an_unconfirmed_winners_speed_is_not_told():
    """Its search chose it by a score, and so for a quick minute too."""
    experiment = simulate_experiment(0, replace(SMALL, confirmed=False))
    speed = analyse(experiment).speed
    sources = {study.strategy: study.winner and study.winner.source for study in speed.studies}
    assert sources == {"agent-playbook": None, "optuna-tpe": None, "seeds": "definition"}
    assert speed.winners.keys() == {"seeds"}
    found = winners_speeds(report(experiment))
    assert found == {"agent-playbook/0": "unconfirmed", "optuna-tpe/0": "unconfirmed", "seeds/0": "1 by definition"}
    assert "speed" not in shown(experiment)["strategy"]


def test_winners_speeds_of_two_kinds_are_not_averaged():
    """Of three studies one ended with the stock, one is unconfirmed, and one was trained again, and is 12 % quicker."""
    agent = replace(AGENT, trials=4, kinds=("code",), code=0.2, speed=1.12)
    experiment = simulate_experiment(0, World((agent, *RIVALS[1:]), studies=3))
    kept_stock, unconfirmed, measured = (study.identity for study in experiment.of("agent-playbook"))
    plan = experiment.confirmation.plans[0]
    planned = {**plan.studies, kept_stock: replace(plan.studies[kept_stock], arm="stock", constants=None)}
    del planned[unconfirmed]
    table = replace(experiment.confirmation, plans=(replace(plan, studies=planned),))
    experiment = replace(experiment, confirmation=table)
    speed = analyse(experiment).speed
    winners = {study.study: study.winner for study in speed.studies}
    assert winners[kept_stock].source == "definition" and winners[unconfirmed] is None
    assert speed.winners["agent-playbook"].value == pytest.approx(winners[measured].value) and winners[measured].value > 1.1
    assert f"{winners[measured].value:.3f} x (1 of 3)" in shown(experiment)["agent-playbook"]


def test_a_confirmed_winner_whose_tokens_were_not_counted_has_no_speed():
    experiment = simulate_experiment(0, SMALL)
    rows = tuple(replace(row, tokens=0, tokens_per_second=None) for row in experiment.confirmation.rows)
    experiment = replace(experiment, confirmation=replace(experiment.confirmation, rows=rows))
    assert winners_speeds(report(experiment))["agent-playbook/0"] == "unknown"
    assert "unknown" in shown(experiment)["agent-playbook"]
