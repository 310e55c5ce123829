"""The tree: what it makes of what, and that no program is believed for one lucky score."""

from __future__ import annotations

from collections import Counter

import pytest

from search.agent.paired import Program
from search.agent.population import ONE_SCORE, Population
from search.strategy import NoiseFloor, Status
from search.study.journal import Journal
from search.study.schedule import Entry, Started
from search.study.trial import Candidate
from search.testing.synthetic import ONE, Several, run_study
from tests.loops.rivals import FLOOR, facts, tree
from tests.loops.world import STOCK, Runner, World

QUIET = NoiseFloor(mean=1.0, sd=0.001, trials=8)


def study(folder, seed=0, several=ONE, trials=40):
    """Its trials, and what happened in which order."""
    strategy = tree(facts(folder / "attachments", trials), seed)
    run_study(folder, strategy, Runner(world=World(seed)), STOCK, trials, seed, None, several, lambda: FLOOR)
    with Journal(folder, lambda text: None) as journal:
        return {entry.number: entry for entry in journal.entries}, journal.schedule.steps


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return study(tmp_path_factory.mktemp("alone"), seed=2)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    return study(tmp_path_factory.mktemp("beside"), several=Several(parallel=4))


@pytest.mark.parametrize("how", ["alone", "beside"])
def test_no_program_has_many_children_on_one_score(how, request):
    entries, _ = request.getfixturevalue(how)
    own = [entry.trial for entry in entries.values() if entry.trial.candidate is not None and entry.number]
    again = {trial.candidate.parent for trial in own if trial.candidate.replicate}
    plain = [trial for trial in own if not trial.candidate.replicate and trial.candidate.facts["operator"] != "repair"]
    children = Counter(trial.candidate.parent for trial in plain if trial.candidate.facts["operator"] != "draft")
    assert max(children.values()) > ONE_SCORE  # the rule is met at all
    assert {number for number, count in children.items() if count > ONE_SCORE} <= again


def test_operators_and_both_parents_are_on_record(alone):
    entries, _ = alone
    answers = {number: entry.trial.answer for number, entry in entries.items()}
    made = {}
    for number, answer in answers.items():
        if "operator" in answer.facts:
            made.setdefault(answer.facts["operator"], []).append(number)
    assert set(made) == {"draft", "improve", "repair", "merge"}
    assert all(answers[number].parents == (0,) for number in made["draft"] if isinstance(answers[number], Candidate))
    for number in made["repair"]:
        assert entries[answers[number].parent].trial.status is Status.CRASHED
    merged = [answers[number] for number in made["merge"] if isinstance(answers[number], Candidate)]
    assert merged and all(len(set(answer.parents)) == 2 for answer in merged)


def test_all_devices_are_filled_without_a_barrier(beside):
    """A trial starts as soon as another has ended, whatever that was."""
    _, steps = beside
    running, counts = 0, []
    for step in steps:
        if isinstance(step, Entry) and running == 4 and step.number:
            counts.append(running)
        running += isinstance(step, Started) - (isinstance(step, Entry) and step.trial.candidate is not None)
    assert len(counts) >= 0.8 * 36


def test_programs_that_the_noise_cannot_tell_apart_take_turns():
    def chosen(noise):
        population = Population(0, 1.0)
        for number, score in enumerate((1.0, 0.99, 0.989)):
            population.add(Program(number, STOCK, {0: score}), ())
        return Counter(population.choose(number, noise).trial for number in range(100))

    assert chosen(QUIET).keys() == {1, 2}
    assert chosen(NoiseFloor(1.0, 0.00001, 8)).keys() == {2}
    assert chosen(NoiseFloor(1.0, 0.05, 8)).keys() == {0, 1, 2}


def test_what_does_not_bear_is_left_for_others():
    population = Population(0, 1.0)
    population.add(Program(0, STOCK, {0: 1.0}), ())
    best = population.add(Program(1, STOCK, {0: 0.99, 1: 0.99}), (0,))
    assert population.choose(5, QUIET) is best
    best.children |= set(range(10, 30))
    assert population.choose(5, QUIET) is population.nodes[0]


@pytest.mark.parametrize(
    ("scores", "noise", "kept"),
    [
        ({0: 0.9}, QUIET, True),  # clear, by one score
        ({0: 0.9995}, QUIET, False),  # it may be luck
        ({0: 0.9}, None, False),  # nobody knows
        ({0: 0.9, 1: 0.95}, None, True),
    ],
)
def test_a_lucky_score_is_not_kept(scores, noise, kept):
    population = Population(0, 1.0)
    population.best = population.add(Program(0, STOCK, {0: 1.0}), ())
    assert population.judge(population.add(Program(1, STOCK, scores), (0,)), noise).kept is kept
