"""Every strategy keeps its promises. A new YAML in conf/strategy or conf/sampler is found and held to them."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from optuna.trial import TrialState

from baselines.optuna import OptunaSearch
from search.config.places import CONF
from search.config.schema import STRATEGY_KEYS, DimensionConfig, build
from search.config.validate import load
from search.runner.stock import stock_of
from search.strategy import Candidate, Done, Origin, Outcome, Status, Trial, Verdict
from search.study import source
from search.study.journal import Journal
from search.study.reads import Past
from search.study.schedule import Entry
from search.study.trial import LossPoint
from search.study.winner import winner_of
from search.testing import PROMISES, Subject
from search.testing.subject import constants_only, task_config
from search.testing.synthetic import FailsOn, SyntheticRunner
from tests.agent.coders import InThisProcess
from tests.agent.test_prompt import CLOCK, PROGRAMS
from tests.loops.world import STOCK
from tests.servers.roles import SHORT


def choices(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


# One that needs no key, and knows the constants of the space.
DRAWS = ("llm=playbook", "llm._target_=tests.servers.values.Draws")
# One that edits a program of a few lines, which is quickly read.
PLAYS = ("llm=playbook", "llm._target_=tests.loops.player.Plays")


# One that needs no key, and plays every role.
ROLES = ("llm=playbook", "llm._target_=tests.servers.roles.Roles")


def variants(strategy):
    """A strategy that asks LLMs is tried with one that needs no key; plain tuning with each sampler."""
    text = (CONF / "strategy" / f"{strategy}.yaml").read_text()
    if strategy == "agent":
        return [("strategy=agent", "llm=playbook"), ("strategy=agent", *PLAYS, "strategy.tune=0.5")]
    if "llms:" in text:
        return [(f"strategy={strategy}", *ROLES)]
    if "llm: ${llm}" in text:
        return [(f"strategy={strategy}", *(PLAYS if "program:" in text else DRAWS))]
    if "sampler: ${sampler" in text and "tuning:" not in text:
        return [(f"strategy={strategy}", f"sampler={sampler}") for sampler in choices("sampler")]
    if "baselines.given" in text:
        return [(f"strategy={strategy}", f"strategy.programs={Path(__file__).with_name('given')}")]
    if "${coder" in text:
        return [(f"strategy={strategy}", "coder=fake")]
    return [(f"strategy={strategy}",)]


SAMPLERS = choices("sampler")
CASES = [case for strategy in choices("strategy") for case in variants(strategy)]


# What the harness needs of a program: a text that is quickly read.
NO_CODE = "\n\ndef build_model(vocab_size, sequence_length):\n    return None\n\n\ndef main():\n    return None\n"


@cache
def configured(overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return load(compose("config", overrides=["task=cpu", *overrides]))


def from_yaml(overrides, task, seed):
    config = configured(overrides)
    settings = {"_target_": config.strategy["_target_"], **config.strategy_settings}
    task = replace(task, read=partial(past, task.stock), programs=InThisProcess())
    return build(settings, task=task, seed=seed)


def past(stock, name):
    """A study that has found another weight decay."""
    name_of = {"DECAY", "WEIGHT_DECAY"} & source.constants(stock).keys()
    candidate = Candidate(source.set_constants(stock, dict.fromkeys(name_of, 0.3)))
    outcome = Outcome(Status.COMPLETED, val_bpb=1.0, audited=True)
    return Past(name, {}, [Entry(Trial(7, Origin.STRATEGY, candidate, outcome), 1, 0.0, 1.0, Verdict(True, "kept"))])


def subject(case):
    """The stock of a strategy that edits code has some: all of it for the playbook, whose edits quote it."""
    make = partial(from_yaml, case)
    if case[1:] == ROLES:
        return Subject(make, constants_only() + SHORT)
    if PLAYS[1] in case:
        return Subject(make, STOCK)
    if case[1:] == ("coder=fake",):
        return Subject(make, constants_only() + NO_CODE)
    return Subject(make, stock_of(task_config()).text) if case[1:] == ("llm=playbook",) else Subject(make)


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(setting.partition("=")[2] for setting in case))
def test_a_strategy_keeps_its_promise(case, promise, tmp_path):
    promise(subject(case), tmp_path)


class Measured(FailsOn):
    """Training runs of which everything was measured."""

    def run(self, request, observe):
        losses = tuple(LossPoint(0.1 * step, 1000 * step, 5 - 0.1 * step) for step in range(1, 11))
        measured = {"tokens": 10_000, "steps": 10, "losses": losses, "seconds": {"start": 1.0, "train": 1.0}}
        return replace(super().run(request, observe), train_seconds=1.0, val_nats=4.1, peak_memory_mb=300.0, **measured)


# The agent with the playbook has a long program, and the same prompt as with the player.
ASK = [case for case in CASES if any(word.startswith(("llm=", "coder=")) for word in case) and case[1:] != ("llm=playbook",)]


@pytest.mark.parametrize("case", ASK, ids=lambda case: case[0].partition("=")[2])
def test_under_a_budget_of_tokens_no_llm_is_told_of_time(case, tmp_path):
    whole, folder = subject(case), tmp_path / "strategy"

    def make(task, seed):
        return whole.make(replace(task, budget="10,000 tokens of training", budget_tokens=10_000), seed)

    Subject(make, whole.stock).study(tmp_path, runner=Measured(fails=lambda number: number == 3), trials=8)
    texts = [path.read_text() for name in ("prompt-*.md", "README.md", "history.md", "program.md", "outcome.json")
             for path in folder.rglob(name)]  # fmt: skip
    assert any("10,000 tokens of training" in text for text in texts)
    told = [PROGRAMS.sub("", text) for text in texts]
    assert not [text[max(0, m.start() - 60) : m.end() + 20] for text in told for m in CLOCK.finditer(text)]


class Careless:
    """Breaks what its name says; the suite has to notice."""

    def __init__(self, task, seed, broken):
        self.stock, self.seed, self.broken = task.stock, seed, broken

    def ask(self, history, pending, noise_floor):
        number = len(history) + len(pending)
        generator = random if self.broken == "shared generator" else random.Random(f"{self.seed} {number}")
        rate = 0.01 + 0.001 * number + 1e-4 * generator.random()
        if self.broken == "sets":
            rate += 1e-4 * (hash("some text") % 1000)
        if self.broken == "leaves files":
            Path("left").write_text("here")
        if self.broken == "gives up" and history[-1].score is None:
            return Done("a trial failed")
        text = self.stock if self.broken == "repeats" else source.set_constants(self.stock, {"MATRIX_LR": rate})
        return Candidate(text, parent=0, params={"rate": rate})

    def tell(self, trial):
        """Learns nothing."""
        return Verdict(False, "worse") if self.broken == "judges without a number" else None


def careless(broken, task, seed):
    return Careless(task, seed, broken)


BROKEN = {
    "shared generator": "keeps_no_state_outside",
    "leaves files": "keeps_no_state_outside",
    "sets": "proposes_the_same_in_another_process",
    "gives up": "survives_every_failure",
    "judges without a number": "survives_every_failure",
    "repeats": "trains_the_stock_first_and_no_program_twice",
}


@pytest.mark.parametrize("promise", PROMISES)
def test_an_honest_strategy_of_a_third_party_passes(promise, tmp_path):
    promise(Subject(partial(careless, "nothing")), tmp_path)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_promise_is_noticed(broken, tmp_path):
    promise = next(promise for promise in PROMISES if promise.__name__ == BROKEN[broken])
    with pytest.raises(AssertionError):
        promise(Subject(partial(careless, broken)), tmp_path)


def optuna(*overrides):
    return Subject(partial(from_yaml, ("strategy=optuna", *overrides)))


def test_the_samplers_differ(tmp_path):
    answers = {name: [trial.answer for trial in optuna(f"sampler={name}").study(tmp_path / name)] for name in SAMPLERS}
    assert len(set(map(repr, answers.values()))) == len(SAMPLERS)


def optuna_trials(folder, fails, trials, *overrides):
    """What a sampler was told, and the trials of ours."""
    made = []

    def make(task, seed):
        made.append(from_yaml(("strategy=optuna", *overrides), task, seed))
        return made[0]

    ours = Subject(make).study(folder, runner=FailsOn(fails=lambda number: number in fails), trials=trials)
    return made[0].study.get_trials(deepcopy=False)[:trials], ours


@pytest.mark.parametrize("failure", ["constraint", "worst", "ignore"])
def test_what_a_sampler_is_told_of_a_failure_is_a_setting(tmp_path, failure):
    told, ours = optuna_trials(tmp_path, [3], 6, f"strategy.failure={failure}")
    scores = [trial.val_bpb for trial in ours]
    assert [trial.value for trial in told] == [*scores[:3], None if failure == "ignore" else max(scores[:3]), *scores[4:]]
    assert [any(value > 0 for value in trial.constraints.values()) for trial in told] == [
        failure == "constraint" and score is None for score in scores
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_failure_is_never_told_to_be_as_good_as_the_stock(tmp_path, sampler):
    told, ours = optuna_trials(tmp_path, [1, 2, 4], 6, f"sampler={sampler}")
    for trial in (told[number] for number in (1, 2, 4)):
        assert trial.value is None or trial.value > ours[0].val_bpb or any(value > 0 for value in trial.constraints.values())


def test_a_sampler_that_can_begin_at_a_point_begins_at_the_stock(tmp_path):
    told, _ = optuna_trials(tmp_path, [], 6, "sampler=cmaes", "sampler.build.sigma0=1e-6")
    for name, value in told[0].params.items():
        if not isinstance(value, str):  # it does not sample choices
            assert [trial.params[name] for trial in told[1:]] == pytest.approx([value] * 5, rel=1e-3, abs=1e-3)


class Prunes(SyntheticRunner):
    """The fourth trial, at a third of its budget."""

    def run(self, request, observe):
        outcome = super().run(request, observe)
        if len(self.requests) != 4:
            return outcome
        losses = (LossPoint(1.0, 100, 5.5), LossPoint(2.0, 200, 5.2))
        return Outcome(Status.PRUNED, reason="hopeless", pruned_at=0.333, losses=losses)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_is_told_of_a_pruned_trial_as_optuna_tells_it(tmp_path, sampler):
    made = []

    def make(task, seed):
        made.append(from_yaml(("strategy=optuna", f"sampler={sampler}"), task, seed))
        return made[0]

    Subject(make).study(tmp_path, runner=Prunes(), trials=6)
    pruned = made[0].study.get_trials(deepcopy=False)[3]
    assert pruned.state is TrialState.PRUNED and pruned.intermediate_values == {33: 5.2}


def small_space(sampler, task, seed):
    """Six points, one of them the stock."""
    values = source.constants(task.stock)
    space = {
        "MATRIX_LR": DimensionConfig("choice", values=[values["MATRIX_LR"], 0.5, 0.6]),
        "ADAM_BETA1": DimensionConfig("choice", values=[values["ADAM_BETA1"], 0.95]),
    }
    return OptunaSearch(task, seed, space, {"_target_": f"optuna.samplers.{sampler}"}, "worst")


@pytest.mark.parametrize("sampler", ["TPESampler", "RandomSampler"])
def test_a_small_space_is_searched_to_its_end(tmp_path, sampler):
    """Proposing again what it knows costs a sampler no trial, and does not end its study early."""
    trials = Subject(partial(small_space, sampler)).study(tmp_path, trials=40)
    assert len(trials) == 6 and all(trial.val_bpb is not None for trial in trials)


def test_pairs_of_batch_sizes_always_fit_together(tmp_path):
    length = task_config().task.sequence_length
    for trial in optuna("sampler=random").study(tmp_path, trials=40):
        values = source.constants(trial.candidate.source)
        rows = values["TOTAL_BATCH_SIZE"] // length
        assert values["TOTAL_BATCH_SIZE"] % length == 0
        assert rows % min(rows, values["DEVICE_BATCH_SIZE"]) == 0


def test_given_programs_are_trained_in_order_and_the_last_is_the_winner(tmp_path):
    given = subject(variants("given")[0])
    trials = given.study(tmp_path, trials=4)
    assert [trial.candidate.note for trial in trials[1:]] == ["002.py", "010.py", "002.py"]
    assert [trial.candidate.replicate for trial in trials] == [0, 0, 0, 1]
    with Journal(tmp_path, print) as journal:
        assert all(entry.verdict.kept for entry in journal.entries) and winner_of(journal.entries).number == 3


def test_settings_of_a_strategy_never_hide_behind_reserved_names(configure):
    for name in choices("strategy"):
        config = configure(f"strategy={name}", "task=smoke")
        assert not set(config.strategy_settings) & set(STRATEGY_KEYS)
