"""Cheating programs end with no score or with the one they deserve; honest ones get theirs; every wall is needed.

By default one cheat of each wall is tried, and a few honest programs; `pytest -m zoo` tries the others. Most cheats concern
what the auditor sees, which no sandbox changes: they run in one sandbox, and those that attack the sandbox run in each.
`FAIRTRIAL_ZOO=full` runs every program in every sandbox, in processes started as in a study.
"""

from __future__ import annotations

import difflib
import os
from contextlib import nullcontext

import pytest
import torch

from search.study.flags import flags
from search.study.trial import Status
from tests.sandboxes import WARM_BOX, WORKING
from tests.warm import Warm
from tests.zoo import CHEATS, HONEST, PLAIN, Program
from tests.zoo.__main__ import PAGE, page
from tests.zoo.keyring import own_keyring
from tests.zoo.trials import Result, Zoo, make_zoo, server
from tests.zoo.walls import WALLS, WITHOUT_A_SWITCH

FULL = os.environ.get("FAIRTRIAL_ZOO") == "full"
FEW_LINES = 30
BOXES = [box.name for box in WORKING]
own_keyring()  # or what a cheat leaves in it would outlive these tests

# Walls that stand or fall with the sandbox; limits and system calls are the same in each.
OF_SANDBOXES = {"sandbox", "fresh process", "process group", "environment", "frozen", "walk", "end of processes"}
UNSCORED = OF_SANDBOXES - {"fresh process"} | {
    "cache",
    "system calls",
    "memory",
    "processes",
    "disk",
    "clean-up",
    "start-up",
    "weights",
}

# What the default suite tries: of each wall the first cheat that it alone stops, and of honest programs the least alike.
FIRST = {wall.cheats[0] for wall in WALLS.values()}
# Concern what torch imports late, and what a warm process has already.
COLD = {
    "attends_flexibly",
    "buries_its_successor_in_folders",
    "computes_activations_twice",
    "works_before_it_imports_late",
}
FEW_HONEST = {"plain", "mixes_experts", "is_recurrent", "prepares_batches_in_a_thread"}

# What is known to get through: the cheat, in which sandbox (None: each), why, and whether it does so on every machine.
# Mending one makes its test fail until the line is removed.
HOLES = [
    ("trains_on_more_tokens", None, "the training process counts the tokens of its budget itself", True),
]


def holes(cheat: str, box: str) -> list[pytest.MarkDecorator]:
    return [
        pytest.mark.xfail(reason=reason, strict=everywhere)
        for name, where, reason, everywhere in HOLES
        if name == cheat and where in (None, box)
    ]


def unless(few: bool) -> list[pytest.MarkDecorator]:
    return [] if few else [pytest.mark.zoo]


def cases() -> list:
    """Every cheat in the warm box, and those that attack sandboxes in the other ones too."""
    return [
        pytest.param(cheat, box, id=f"{cheat}-{box}", marks=[*holes(cheat, box), *unless(cheat in FIRST)])
        for box in dict.fromkeys([*BOXES, WARM_BOX])
        for cheat, program in CHEATS.items()
        if (box in BOXES if program.wall in OF_SANDBOXES or FULL else box == WARM_BOX)
    ]


@pytest.fixture(scope="module")
def zoo(smoke, tmp_path_factory):
    with server() as ports:
        yield make_zoo(*smoke, ports, tmp_path_factory.mktemp("stock"))


@pytest.fixture
def run(zoo: Zoo, warm: Warm, tmp_path, monkeypatch):
    """Run a program in a sandbox, in processes that start at once where the sandbox allows it."""
    monkeypatch.setenv("ZOO_API_KEY", "canary")

    def run_program(program: Program, box: str, cold: bool = FULL, **settings) -> Result:
        with nullcontext() if cold or box == "bubblewrap" else warm.serving():
            return zoo.run(program, box, tmp_path, **settings)

    return run_program


def test_there_are_many_programs_and_all_have_their_headers():
    assert len(CHEATS) >= 25 and len(HONEST) >= 15
    for cheat in CHEATS.values():
        assert {"trick", "wall", "ends"} <= set(cheat.facts) <= {"trick", "wall", "ends", "settings"}, cheat.name
        assert set(cheat.ends) <= {*Status, "honest", "worse", "own"}, cheat.name
        cheat.settings()  # raises where a value is no number
    assert all({"unusual"} <= set(program.facts) <= {"unusual", "settings", "needs"} for program in HONEST.values())


@pytest.mark.zoo
def test_a_cheat_is_a_few_lines_from_the_honest_program():
    for name, cheat in CHEATS.items():
        changed = [line for line in difflib.ndiff(PLAIN.body, cheat.body) if line.startswith("+ ")]
        assert 0 < len(changed) <= FEW_LINES, name


def test_every_wall_has_two_cheats_that_it_alone_stops():
    named = {cheat.wall for cheat in CHEATS.values()}
    assert named == WALLS.keys() | WITHOUT_A_SWITCH.keys()
    for name, wall in WALLS.items():
        assert len(wall.cheats) >= 2 and all(CHEATS[cheat].wall == name for cheat in wall.cheats), name


@pytest.mark.parametrize(("cheat", "box"), cases())
def test_a_cheat_ends_as_it_deserves(run, zoo, cheat, box):
    program = CHEATS[cheat]
    audited = FULL or program.wall not in UNSCORED or Status.DISQUALIFIED in program.ends
    for _ in range(2 if program.wall == "cache" else 1):
        result = run(program, box, cold=FULL or cheat in COLD, audited=audited)
        assert zoo.complaint(program, result, audited) is None


@pytest.mark.parametrize("name", [pytest.param(name, marks=unless(name in FEW_HONEST)) for name in HONEST])
def test_an_honest_program_gets_its_score(run, name):
    needs, boxes = HONEST[name].facts.get("needs"), BOXES if FULL else [WARM_BOX]
    if needs == "a compiler" and not FULL:
        pytest.skip("compiling takes half a minute of processor time")
    if needs == "processes":
        boxes = [box for box in BOXES if box != "landlock"]
    for box in boxes:
        outcome = run(HONEST[name], box, cold=FULL or name in COLD).outcome
        assert (outcome.status, outcome.audited, outcome.reason) == (Status.COMPLETED, True, "")


@pytest.mark.zoo
@pytest.mark.walls
@pytest.mark.parametrize(("name", "cheat"), [(name, cheat) for name, wall in WALLS.items() for cheat in wall.cheats])
def test_without_a_wall_its_cheats_get_through(run, zoo, monkeypatch, tmp_path, name, cheat):
    wall = WALLS[name]
    if cheat == "whispers_through_the_page_cache" and not os.access(torch.__file__, os.W_OK):
        pytest.skip("only who may write a file can put its pages out of memory")
    settings = wall.off(monkeypatch, tmp_path)
    box = wall.sandbox or WARM_BOX
    if wall.breaks is not None:
        with pytest.raises(wall.breaks):
            for _ in range(wall.attempts):
                run(CHEATS[cheat], box, **settings)
        return
    for _ in range(2 if name == "cache" else wall.attempts):
        result = run(CHEATS[cheat], box, cold=FULL or cheat in COLD or not wall.warm, **settings)
        complaint = zoo.complaint(CHEATS[cheat], result)
        if complaint is not None:
            break
    assert complaint is not None
    assert result.harm or result.outcome.status is Status.COMPLETED


def test_the_page_of_the_zoo_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.zoo writes it"


def test_a_program_that_chooses_its_seed_is_flagged():
    assert flags(CHEATS["chooses_its_seed"].source) == ("sets_seed",)
    assert flags(PLAIN.source) == ()
