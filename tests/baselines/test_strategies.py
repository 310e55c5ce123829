"""What every strategy must keep. A new YAML in conf/strategy or conf/sampler inherits these tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search.config.places import CONF, ROOT
from search.config.schema import STRATEGY_KEYS
from search.console.run_study import make_strategy
from search.runner.stock import stock_of
from search.study import source
from search.study.trial import Origin, Status
from tests.doubles import FAILURES, Dies, DiesAt, FailsOn, SyntheticRunner, run_study

STRATEGIES = sorted(path.stem for path in (CONF / "strategy").glob("*.yaml"))
SAMPLERS = sorted(path.stem for path in (CONF / "sampler").glob("*.yaml"))
VARIANTS = {"optuna": [f"sampler={name}" for name in SAMPLERS], "agent": ["llm=playbook"]}
CASES = [(name, *([variant] if variant else [])) for name in STRATEGIES for variant in VARIANTS.get(name, [""])]
TRIALS = 12


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case).partition("=")[2] or case[0])
def make(request, configure):
    """Strategy and stock of one case, for a seed and a study's folder."""
    name, *overrides = request.param

    def make_for(seed: int, folder: Path):
        config = configure(f"strategy={name}", "task=cpu", f"seed={seed}", *overrides)
        stock = stock_of(config).text
        return make_strategy(config, stock, None, folder), stock

    return make_for


def proposals(trials):
    return [trial.answer for trial in trials]


def test_the_first_trial_is_the_stock_and_no_program_is_trained_twice(make, tmp_path):
    strategy, stock = make(0, tmp_path)
    runner = SyntheticRunner()
    _, trials = run_study(tmp_path, strategy, runner, stock, TRIALS)
    assert len(trials) == TRIALS and trials[0].origin is Origin.STOCK and trials[0].candidate.source == stock
    trained = [(source.program_hash(request.source), request.training_seed) for request in runner.requests]
    assert len(set(trained)) == len(trained)


def test_a_seed_decides_and_seed_zero_is_a_seed(make, tmp_path):
    runs = []
    for number, seed in enumerate((0, 0, 1)):
        strategy, stock = make(seed, tmp_path / str(number))
        runner = SyntheticRunner()
        run_study(tmp_path / str(number), strategy, runner, stock, TRIALS, seed)
        runs.append([(request.source, request.training_seed) for request in runner.requests])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_every_failure_is_survived_and_recorded(make, tmp_path):
    strategy, stock = make(0, tmp_path)
    runner = FailsOn(fails=lambda number: number % 2 == 1)
    reason, trials = run_study(tmp_path, strategy, runner, stock, TRIALS)
    assert len(trials) == TRIALS, reason
    assert {trial.status for trial in trials} >= set(FAILURES)
    assert all((trial.val_bpb is None) == (trial.status is not Status.COMPLETED) for trial in trials)


@pytest.mark.parametrize("dies_at", [1, 9])
def test_resumed_it_proposes_what_it_would_have(make, tmp_path, dies_at):
    strategy, stock = make(0, tmp_path / "whole")
    _, undisturbed = run_study(tmp_path / "whole", strategy, SyntheticRunner(), stock, TRIALS)
    strategy, stock = make(0, tmp_path / "cut")
    with pytest.raises(Dies):
        run_study(tmp_path / "cut", strategy, DiesAt(at=dies_at), stock, TRIALS)
    strategy, stock = make(0, tmp_path / "cut")
    runner = SyntheticRunner()
    _, resumed = run_study(tmp_path / "cut", strategy, runner, stock, TRIALS)
    assert proposals(resumed) == proposals(undisturbed)
    assert [trial.val_bpb for trial in resumed] == [trial.val_bpb for trial in undisturbed]
    assert len(runner.requests) <= TRIALS - dies_at


def test_an_extended_study_is_the_longer_study(make, tmp_path):
    strategy, stock = make(3, tmp_path / "whole")
    _, whole = run_study(tmp_path / "whole", strategy, SyntheticRunner(), stock, TRIALS, 3, anchor_every=4)
    for trials in (5, TRIALS):
        strategy, stock = make(3, tmp_path / "extended")
        _, extended = run_study(tmp_path / "extended", strategy, SyntheticRunner(), stock, trials, 3, anchor_every=4)
    assert proposals(extended) == proposals(whole)
    assert [trial.origin for trial in extended] == [trial.origin for trial in whole]


PROPOSE = """
import json, sys
from pathlib import Path
from hydra import compose, initialize_config_dir
from search.console.run_study import make_strategy
from search.runner.stock import stock_of
from search.config.validate import load
from search.config.places import CONF
from tests.doubles import SyntheticRunner, run_study
with initialize_config_dir(str(CONF), version_base="1.3"):
    config = load(compose("config", overrides=sys.argv[2:]))
stock = stock_of(config).text
folder = Path(sys.argv[1])
strategy = make_strategy(config, stock, None, folder)
_, trials = run_study(folder, strategy, SyntheticRunner(), stock, 12, config.seed)
print(json.dumps([repr(trial.answer) for trial in trials]))
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case).partition("=")[2] or case[0])
def test_another_process_proposes_the_same(case, tmp_path):
    name, *overrides = case
    outputs = []
    for number in range(2):
        command = [sys.executable, "-c", PROPOSE, str(tmp_path / str(number)), f"strategy={name}", "task=cpu", *overrides]
        outputs.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert json.loads(outputs[0]) == json.loads(outputs[1])


def test_the_samplers_differ(configure, tmp_path):
    seen = set()
    for name in SAMPLERS:
        config = configure("strategy=optuna", f"sampler={name}", "task=cpu")
        stock = stock_of(config).text
        _, trials = run_study(tmp_path / name, make_strategy(config, stock, None, tmp_path), SyntheticRunner(), stock, 14)
        seen.add(repr(proposals(trials[1:])))
    assert len(seen) == len(SAMPLERS)


@pytest.mark.parametrize("failure", ["worst", "ignore"])
def test_what_a_sampler_is_told_of_a_failure_is_a_setting(configure, tmp_path, failure):
    config = configure("strategy=optuna", "task=cpu", f"strategy.failure={failure}")
    stock = stock_of(config).text
    strategy = make_strategy(config, stock, None, tmp_path)
    _, trials = run_study(tmp_path, strategy, FailsOn(fails=lambda number: number == 3), stock, 6)
    told = [trial.value for trial in strategy.study.get_trials(deepcopy=False)[:6]]
    scores = [trial.val_bpb for trial in trials]
    assert told[:3] + told[4:] == scores[:3] + scores[4:]
    assert told[3] == (max(scores[:3]) if failure == "worst" else None)


def test_pairs_of_batch_sizes_always_fit_together(configure, tmp_path):
    config = configure("strategy=optuna", "sampler=random", "task=cpu")
    stock = stock_of(config).text
    _, trials = run_study(tmp_path, make_strategy(config, stock, None, tmp_path), SyntheticRunner(), stock, 40)
    for trial in trials:
        values = source.constants(trial.candidate.source)
        rows = values["TOTAL_BATCH_SIZE"] // config.task.sequence_length
        assert values["TOTAL_BATCH_SIZE"] % config.task.sequence_length == 0
        assert rows % min(rows, values["DEVICE_BATCH_SIZE"]) == 0


def test_settings_of_a_strategy_never_hide_behind_reserved_names(configure):
    for name in STRATEGIES:
        config = configure(f"strategy={name}", "task=smoke")
        assert not set(config.strategy_settings) & set(STRATEGY_KEYS)
