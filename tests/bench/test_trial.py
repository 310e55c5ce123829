"""What a trial buys is measured, on any machine."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from search.bench import trial
from search.config.messages import UserError
from search.console.run_study import make_strategy
from search.runner.stock import stock_of
from search.study.trial import Outcome, Status
from search.testing.synthetic import SyntheticRunner, run_study


class Measured(SyntheticRunner):
    """With the figures that a GPU gives."""

    def run(self, request, observe):
        return replace(
            super().run(request, observe),
            train_seconds=300.0,
            tokens=500_000_000 + len(self.requests),
            seconds={"build": 1.5, "score": 10.0},
            telemetry={"sm_clock_mhz": 1_755.0},
            device="NVIDIA H200 GPU-1",
            described={"flops_per_token": 217e6, "attention": "flash-attention 3"},
            audit_sd=0.003,
            audit_max=0.02,
        )


class Fails(SyntheticRunner):
    def run(self, request, observe):
        super().run(request, observe)
        return Outcome(Status.CRASHED, reason="injected")


def control(config, studies, runner):
    folder, stock = studies / "five-minutes" / "smoke" / "seeds" / "0", stock_of(config).text
    run_study(folder, make_strategy(config, stock, folder), runner, stock, 3)


def test_trials_become_a_table(configure, monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "STUDIES", tmp_path)
    config = configure("task=smoke", "strategy=seeds", "experiment=five-minutes")
    assert "study.trials=3" in "".join(trial.trials_table(config))
    control(config, tmp_path, Measured())
    table = "\n".join(trial.trials_table(config))
    for row in (
        "| model TFLOP/s | 361.667",
        "| tokens per second | 1.66667e+06",
        "| device: sm_clock_mhz | 1755 | 1755 | 1755 | 1755 | 0 |",
    ):
        assert row in table
    assert "NVIDIA H200" in table and "dropped | 0 | 0 | 0 | 0 | 0 |" in table
    assert "peak memory" in table and "confirmation" not in table


def test_a_study_without_scores_is_said_to_be_one(configure, monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "STUDIES", tmp_path)
    config = configure("task=smoke", "strategy=seeds", "experiment=five-minutes")
    with contextlib.suppress(UserError):  # the stock itself fails
        control(config, tmp_path, Fails())
    assert "None with a score" in "".join(trial.trials_table(config))


def test_loader_and_step_are_measured(smoke, monkeypatch):
    config, prepared = smoke
    monkeypatch.setattr(trial, "LOADER_SECONDS", 0.2)
    monkeypatch.setattr(trial, "STEPS", 2)
    assert "million tokens per second" in trial.loader_line(config.task, prepared)
    said = "\n".join(trial.step_lines(config))
    assert "'attention': 'sdpa, masked windows'" in said and "aten::mm" in said
