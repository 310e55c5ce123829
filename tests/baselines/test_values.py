"""LLMs that choose values of constants: what they are told, how replies are read, and what the optimiser hears of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest

from baselines.centaur import Centaur
from baselines.tuner import INSTRUCTIONS, Tuner
from search.config.messages import UserError
from search.config.schema import DimensionConfig, StudyConfig
from search.llm import values, values_prompt
from search.llm.dialogue import Unreadable
from search.study.contract import NoiseFloor
from search.study.space import Space
from search.study.trial import Candidate, LossPoint, Origin, Outcome, Status, Trial
from search.testing import Subject
from search.testing.synthetic import Dies, DiesAt, FailsOn

STOCK = "DEPTH = 2  # layers\nMATRIX_LR = 0.02\nTOTAL_BATCH_SIZE = 512\nWINDOW_PATTERN = 'SSSL'\nWEIGHT_DECAY = 0.1\n"
SPACE = {
    "DEPTH": DimensionConfig("int", 1, 4),
    "MATRIX_LR": DimensionConfig("float", 0.002, 0.2, log=True),
    "TOTAL_BATCH_SIZE": DimensionConfig("power_of_two", 256, 4096),
    "WINDOW_PATTERN": DimensionConfig("choice", values=["SSSL", "LLLL", "SSSS"]),
    "WEIGHT_DECAY": DimensionConfig("float", 0.0, 0.5),
}
LLM = {"_target_": "tests.servers.values.Draws", "name": "drawn", "about": None, "price": {}, "file": ""}
LLM["price"] = {"input": 1.0, "cached": None, "output": 1.0}
NOISE = NoiseFloor(2.5, 0.01, 12)


def tuner(task, seed):
    return Tuner(task, seed, LLM, SPACE, repairs=1)


def centaur(task, seed, share=0.3):
    return Centaur(task, seed, LLM, SPACE, repairs=1, share=share, sigma=0.2)


def kept(make, made):
    """The same, and what was made on the way."""

    def keep(task, seed):
        made.append(make(task, seed))
        return made[-1]

    return keep


def trial(number, score, origin=Origin.STRATEGY, **params):
    space = Space(SPACE, STOCK)
    stock = origin is not Origin.STRATEGY
    candidate = Candidate(STOCK) if stock else space.candidate({**space.start, **params}, {"idea": "an idea " * 40})
    losses = tuple(LossPoint(0.1 * step, 1000 * step, 6 - 0.01 * step) for step in range(1, 101))
    outcome = Outcome(Status.COMPLETED, score, audited=True, tokens=100_000, steps=100, losses=losses)
    return Trial(number, origin, candidate, outcome)


@pytest.fixture
def memory(tmp_path):
    history = [trial(0, 2.5, Origin.STOCK), trial(1, 2.4, DEPTH=3), trial(2, 2.6, DEPTH=4)]
    pending = {3: Space(SPACE, STOCK).candidate({**Space(SPACE, STOCK).start, "DEPTH": 1}, {})}
    return values_prompt.Memory(Subject(tuner, STOCK).task(tmp_path), Space(SPACE, STOCK), NOISE, history, pending)


READ = {
    '{"MATRIX_LR": 0.05}': {"MATRIX_LR": 0.05},
    '```json\n{"DEPTH": 2.0, "WEIGHT_DECAY": 0}\n```': {"DEPTH": 2, "WEIGHT_DECAY": 0.0},
    'not {"DEPTH": 9} but\n{"TOTAL_BATCH_SIZE": 1024}': {"TOTAL_BATCH_SIZE": 1024},
    "NOTE: X = 1\nIDEA: faster\n- `MATRIX_LR` = 5e-2  # larger\n**WINDOW_PATTERN**: LLLL": {
        "MATRIX_LR": 0.05,
        "WINDOW_PATTERN": "LLLL",
    },
}


@pytest.mark.parametrize("text", READ)
def test_values_are_read_and_the_rest_is_the_best_trials(memory, text):
    assert values.read(text, memory) == {**Space(SPACE, STOCK).start, "DEPTH": 3, **READ[text]}


REFUSED = {
    "I would raise the rate.": "holds no values",
    '{"DEPTH": 5}': "DEPTH=5: must lie between 1 and 4",
    '{"DEPTH": 2.5}': "must be a whole number",
    '{"DEPTH": true}': "must be a whole number",
    '{"MATRIX_LR": NaN}': "must lie between",
    '{"MATRIX_LR": "large"}': "must be a number",
    '{"TOTAL_BATCH_SIZE": 768}': "must be a power of two",
    '{"WINDOW_PATTERN": "SL"}': "must be one of SSSL, LLLL, SSSS",
    '{"COLOUR": 3, "DEPTH": 2}': "COLOUR: cannot be set; the constants are DEPTH",
    '{"DEPTH": 4}': "values of trial 2 again",
    '{"DEPTH": 1}': "values of trial 3 again",  # which is being tried
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_point_of_the_space_or_was_tried_is_refused_in_words(memory, text):
    with pytest.raises(Unreadable, match=REFUSED[text]):
        values.read(text, memory)


def test_a_prompt_says_all_that_is_known_and_stays_bounded(memory):
    task = replace(memory.task, text="python: source code", training_tokens=400_000, bytes_per_token=2.71)
    memory = replace(memory, task=replace(task, study=StudyConfig(trials=26)))
    whole = values_prompt.compose(memory, INSTRUCTIONS)[1]["content"]
    for said in (
        "Text: python: source code. A token is 2.71 bytes",
        "400,000 training tokens, of which a training run reads 25 %",
        "2 trials ended since the stock, and about 22 are left with this one.",
        "training loss at 25/50/75/100 % of the training run",
        "| 5.800 / 5.550 / 5.300 / 5.050 |",
        "standard deviation 0.0100",
        "| DEPTH | whole number from 1 to 4 | 2 | 3 | DEPTH = 2  # layers |",
        "2.4000",
    ):
        assert said in whole
    assert "trial 3: DEPTH=1" in whole
    history = [trial(0, 2.5, Origin.STOCK), *(trial(n, 2.5 - n / 1e4, MATRIX_LR=0.01 + n / 1e4) for n in range(1, 1000))]
    long = values_prompt.compose(replace(memory, history=history), INSTRUCTIONS)[1]["content"]
    assert "980 trials: 980 completed" in long and len(long) < 12_000


def test_coordinates_and_values_are_each_others_inverse():
    space = Space(SPACE, STOCK)
    point = {"DEPTH": 3, "MATRIX_LR": 0.2, "TOTAL_BATCH_SIZE": 4096, "WINDOW_PATTERN": "SSSS", "WEIGHT_DECAY": 0.25}
    assert space.values(space.coordinates(point)) == pytest.approx(point)
    assert space.coordinates(point) == pytest.approx([2 / 3, 1.0, 1.0, 1.0, 0.5])


@pytest.mark.parametrize("make", [tuner, centaur])
def test_no_reply_is_paid_twice_and_what_stays_unusable_is_a_trial_with_its_cost(tmp_path, make):
    whole, parts = [], []
    trials = Subject(kept(partial(make), whole), STOCK).study(tmp_path / "whole", trials=20)
    subject = Subject(kept(partial(make), parts), STOCK)
    for dies_at in (3, 8):
        with pytest.raises(Dies):
            subject.study(tmp_path / "cut", runner=DiesAt(at=dies_at), trials=20)
    subject.study(tmp_path / "cut", trials=20)
    calls = [strategy.dialogue.client.client.asked for strategy in parts]
    assert sum(map(len, calls)) == len(whole[0].dialogue.client.client.asked)
    unusable = [one for one in trials if one.status is Status.UNUSABLE]
    assert unusable and all(one.answer.cost.calls == 2 and one.answer.cost.usd > 0.02 for one in unusable)
    assert all("after 2 replies" in one.outcome.reason for one in unusable)
    asked = [call[-1]["content"] for call in whole[0].dialogue.client.client.asked]
    again = sum("again; choose others" in prompt for prompt in asked)
    assert again <= sum(int(one.answer.facts.get("repeats", 0)) for one in trials) <= again + len(unusable)


def test_a_share_of_the_centaurs_proposals_is_the_llms_and_the_optimiser_hears_of_all(tmp_path):
    made = []
    trials = Subject(kept(centaur, made), STOCK).study(tmp_path, runner=FailsOn(fails=lambda number: number == 5), trials=60)
    by = [one.answer.facts.get("by") for one in trials[1:]]
    assert 0.15 < by.count("LLM") / len(by) < 0.45 and by.count("LLM") + by.count("CMA-ES") == 59
    told = [one for one in trials if one.status is not Status.UNUSABLE]
    size = made[0].optimiser.population_size
    assert made[0].optimiser.generation == len(told) // size and len(made[0]._told) == len(told) % size
    prompt = made[0].dialogue.client.client.asked[-1][1]["content"]
    assert "step size" in prompt and "it would try" in prompt and "The best points" in prompt


@pytest.mark.parametrize(("share", "by"), [(0.0, {"CMA-ES"}), (1.0, {"LLM"})])
def test_a_centaur_without_one_of_its_halves(tmp_path, share, by):
    trials = Subject(partial(centaur, share=share), STOCK).study(tmp_path, trials=12)
    assert {one.answer.facts["by"] for one in trials[1:]} == by


def test_a_point_from_far_away_moves_the_optimiser_no_further_than_one_of_its_own_could(tmp_path):
    strategy = centaur(Subject(centaur, STOCK).task(tmp_path), 0)
    far = {"DEPTH": 4, "MATRIX_LR": 0.2, "TOTAL_BATCH_SIZE": 4096, "WINDOW_PATTERN": "SSSS", "WEIGHT_DECAY": 0.5}
    mean = strategy.optimiser.mean
    near = strategy.space.values(mean.tolist())
    assert strategy._injected(near) == pytest.approx(mean)
    step = math.dist(strategy._injected(far), mean) / 0.2
    assert step == pytest.approx(math.sqrt(5) + 10 / 7) and step < math.dist(strategy.space.coordinates(far), mean) / 0.2


def test_a_space_that_does_not_fit_the_stock_is_named(tmp_path):
    with pytest.raises(UserError, match=r"space\.DEPTH: does not hold the stock's own value 9"):
        Space(SPACE, STOCK.replace("DEPTH = 2", "DEPTH = 9"))
    with pytest.raises(UserError, match=r"space\.DEPTH: the start file has no constant"):
        Space(SPACE, STOCK.replace("DEPTH", "LAYERS"))
    with pytest.raises(UserError, match=r"strategy\.share=1\.5"):
        centaur(Subject(centaur, STOCK).task(tmp_path), 0, share=1.5)
