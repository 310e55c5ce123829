"""A GPU on which nothing can be scored is told before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.config.messages import UserError
from search.executor.local import make_runner
from search.runner import rehearsal, trial_runner
from search.runner.process.sandbox import choose
from search.study.request import TrialRequest
from search.study.trial import Status
from tests.programs import program


def test_what_can_be_scored_is_not_mentioned_and_what_cannot_is_told_with_its_cause(quick, tmp_path, monkeypatch):
    config, prepared = quick
    monkeypatch.setattr(trial_runner, "VARIABLES", {"cpu": ""})  # as if the processor were a GPU
    runner = make_runner(config, prepared, tmp_path)
    asked = TrialRequest(program(), 1, tmp_path / "logs" / "trial", is_stock=True)
    assert runner.run(asked, lambda progress: None).status is Status.COMPLETED
    broken = rehearsal.PROGRAM + "torch.nn.functional.cross_entropy = open  # what fails is what comes after the rows\n"
    monkeypatch.setattr(rehearsal, "PROGRAM", broken)
    phases: list[str] = []
    with pytest.raises(UserError, match=f"sandbox={choose(config.sandbox, 'cpu').name}") as raised:
        runner.run(replace(asked, logs=tmp_path / "logs" / "other"), lambda progress: phases.append(progress.phase))
    runner.close()
    assert "Error" in str(raised.value) and str(raised.value).count("\n") == 1
    assert phases == [] and (tmp_path / "logs" / "other.rehearsal.txt").is_file()
