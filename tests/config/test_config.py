"""Every committed YAML composes, and says what its name says; what a user misspells ends before anything is spent."""

from __future__ import annotations

import pytest

from search.config.messages import UserError
from search.config.places import CONF
from search.console.run_study import check
from search.runner.stock import stock_of
from search.study import source

GROUPS = {path.name: sorted(file.stem for file in path.glob("*.yaml")) for path in CONF.iterdir() if path.is_dir()}
CHOICES = [(group, name) for group, names in GROUPS.items() for name in names]


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_yaml_composes(configure, group, name):
    task = [] if group in ("task", "space") else ["task=smoke"]
    extra = ["data.corpus.folder=/somewhere"] if name == "files" else []
    config = configure(f"{group}={name}", *task, *extra)
    named = {"strategy": config.strategy["name"], "task": config.task.name, "data": config.data.name}
    named["sampler"] = config.sampler.name
    assert named.get(group, name) == name
    if group == "space":
        assert config.space


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (["strategy=agent"], "agent-playbook"),
        (["strategy=agent", "strategy.tune=0.3"], "agent-playbook-tune-0.3"),
        (["strategy=agent", "strategy.of=other/smoke/optuna-tpe/3"], "agent-playbook-of-optuna-tpe"),
        (["strategy=retune"], "retune-tpe-of-agent-playbook"),
    ],
)
def test_what_makes_another_strategy_stands_in_its_name(configure, settings, name):
    assert configure("task=smoke", "llm=playbook", *settings).strategy_name == name


@pytest.mark.parametrize("task", GROUPS["task"])
def test_every_task_fits_its_stock_and_brings_its_data_and_space(configure, task):
    config = configure(f"task={task}", "strategy=optuna", "task.row_gb=null")  # whatever GPU is here
    stock = stock_of(config).text
    assert stock.startswith("# fairtrial: fitted to task=") == bool(config.task.constants)
    assert set(config.space) <= set(source.constants(stock))


def test_a_choice_on_the_command_line_beats_the_task(configure):
    config = configure("task=cpu", "data=climbmix", "space=gpu")
    assert (config.data.name, config.space["DEPTH"].high) == ("climbmix", 24)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["+foo=1"], "foo"),
        (["study.trials=0"], "study.trials=0"),
        (["study.trials=null"], "set trials, train_hours or usd"),
        (["study.anchor_every=0"], "study.anchor_every"),
        (["study.parallel=0"], "study.parallel"),
        (["study.ahead=2"], "study.ahead"),
        (["task.vocab_size=70000"], "16 bits"),
        (["task.budget.seconds=3"], "set one of them"),
        (["task.budget.cap_seconds=null"], "needs a cap"),
        (["task.scoring_rows=65"], "multiple of task.scoring_batch"),
        (["task.audit_gain_positions=1000"], "one per scored row"),
        (["task.audit_share=2"], "must be 0 to 1"),
        (["seed=-1"], "must be 0 or more"),
        (["experiment=a/b"], "letters, digits"),
        (["start=nothing.py"], "no such file"),
        (["strategy._target_=baselines.nothing.Nothing"], "cannot be imported"),
        (["+strategy.colour=red"], "no such setting"),
        (["~strategy.name"], "needs _target_, name and role"),
        (["data=files"], "data.corpus.folder"),
        (["+data.corpus.colour=red"], "no such setting"),
        (["space.DEPTH.kind=vague"], "choose int, float"),
        (["space.DEPTH.low=9"], "low below high"),
        (["space.HEAD_DIM.low=17"], "powers of two"),
        (["space.MATRIX_LR.high=inf", "strategy=optuna"], "^space.MATRIX_LR.high=inf: must be a finite number"),
        (["study.train_hours=inf"], "study.train_hours=inf: must be a finite number"),
        (["task.audit_token_tolerance=nan"], "task.audit_token_tolerance=nan: must be a finite number"),
        (["cache="], "cache=: name a folder"),
    ],
)
def test_impossible_values_are_refused_with_key_and_remedy(configure, overrides, said):
    with pytest.raises(UserError, match=said.replace("+", r"\+")) as refused:
        configure("task=smoke", *overrides)
    assert str(refused.value).count("\n") <= 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("task.device=tpu", "choose cpu, cuda, rocm, mps"),
        ("task.packing=loose", "choose consecutive or best_fit"),
        ("sandbox=paper", "choose auto, bubblewrap, landlock or none"),
    ],
)
def test_a_task_that_no_runner_knows_is_refused_before_it_begins(configure, override, said):
    with pytest.raises(UserError, match=f"{override}: {said}"):
        check(configure("task=smoke", override))
