"""Planning in hours: against simulation, closed forms, and the command."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from search import plan
from search.compare.analyse import design
from search.compare.analyse.design import GAIN, PROGRAMS, STRATEGIES, Assumptions, Design, best_within, cheapest, designs_of
from search.compare.analyse.effects import permutation
from search.config.places import ROOT
from search.console import command_line

KNOWN = Assumptions(sd=0.001, paired=0.4, between=(0.003, 0.002), known=math.inf, minutes=5.5, trials=100)
DESIGNS = designs_of(KNOWN)


def test_power_of_four_studies_is_that_of_the_test_itself():
    random = np.random.default_rng(1)
    shown = [
        permutation(0.005 + 0.003 * random.standard_normal(4), 0.002 * random.standard_normal(4)) < 0.045 for _ in range(400)
    ]
    power = design.permutation_power(0.005, (0.003, 0.002), 0.0, (4, 4), 0.045)
    assert stats.binomtest(sum(shown), 400, power).pvalue > 0.001


def test_power_of_a_program_is_that_of_the_t_test():
    """20 repeats, known noise: one-sided t of paired differences."""
    found = design.power_of(Design(GAIN, (1, 0), 100, 20, 0.0, 0.0), 0.0005, KNOWN)
    error = math.sqrt(0.001**2 * 0.6 * 2 / 20)
    assert found == pytest.approx(design.t_power(0.0005 / error, 19, design.level(1, 1)))


def test_what_is_planned_is_shown_though_the_noise_is_only_known_from_a_control_of_eight():
    """Promised 80 %: between 75 and 85 %, over what eight trials say of the noise."""
    random, delivered = np.random.default_rng(2), []
    for _ in range(15):
        measured = float(np.std(0.001 * random.standard_normal(8), ddof=1))
        asked = replace(KNOWN, sd=measured, known=7.0)
        (best,) = cheapest(0.0008, designs_of(asked, [GAIN]))
        delivered.append(design.power_of(best, 0.0008, KNOWN))
    assert 0.75 < np.mean(delivered) < 0.9


def test_more_hours_never_show_less():
    seen: dict[str, float] = {}
    for hours in (15, 20, 40, 80, 120, 160, 240):
        for one in best_within(hours, DESIGNS, KNOWN):
            assert one.hours <= hours and one.difference <= seen.get(one.question, math.inf)
            seen[one.question] = one.difference
    assert set(seen) == {GAIN, PROGRAMS, STRATEGIES}


def test_studies_are_planned_shorter_where_hours_are_few():
    found = {one.question: one for one in best_within(40, DESIGNS, KNOWN)}
    assert found[STRATEGIES].studies == (4, 4) and 10 <= found[STRATEGIES].trials < 100 == found[GAIN].trials


def test_the_cheapest_design_is_enough_and_a_cheaper_one_is_not():
    for found in cheapest(0.005, DESIGNS):
        assert found.difference <= 0.005
        rivals = [one for one in DESIGNS if one.question == found.question and one.hours < found.hours]
        assert all(one.difference > 0.005 for one in rivals)
    assert not cheapest(1e-6, DESIGNS)


# ---- the command ----


def run(line: str) -> int:
    return command_line.run(plan.COMMAND, line.split())


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("sb=1", "sb: no such key"),
        ("differnce=1", "did you mean difference?"),
        ("sd=-1", "sd=-1.0: must be a number above 0"),
        ("sd", "sd: has no value"),
        ("power=1.5", "must be above 0 and below 1"),
        ("devices=2.5", "whole number"),
        ("sd=0.01 between=0.1,x", "must be 0 or more"),
        ("difference=0.1", "sd: is not known"),
        ("experiment=nowhere tracking.uri=sqlite:////nowhere/mlflow.db", "there is no such file"),
    ],
)
def test_what_planning_cannot_use_is_named(argument, words, capsys):
    assert run(argument) == 1
    assert words in capsys.readouterr().err


def test_planning_says_what_it_assumes_and_fits_80_columns(capsys):
    assert run("sd=0.001 hours=100 devices=2") == 0
    said = capsys.readouterr().out
    assert "between: unknown, taken as 0" in said and "on 2 devices" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


def test_the_documented_example_is_what_the_command_prints(capsys):
    page = (ROOT / ".github" / "docs" / "planning.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith("python -m search.plan sd="))
    assert run(line.removeprefix("python -m search.plan ")) == 0
    said = capsys.readouterr().out.splitlines()
    table = page.partition("Held against")[2].splitlines()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table if row.startswith("| is one")]
    assert len(rows) == 3
    for row in rows:
        assert any(all(cell in line.split() for cell in " ".join(row[1:]).split()) for line in said), row
