"""A GPU on which nothing can be scored is told before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.config.messages import UserError
from search.executor.local import make_runner
from search.runner import rehearsal, scoring, trial_runner
from search.runner.process import sandbox
from search.study.request import TrialRequest
from search.study.trial import Status
from tests.programs import program

# What CUDA's driver does when it needs it: it opens its device's file for a mapping, and starts a thread and names it.
DRIVER = """
import ctypes
import os
import threading


class Model(Model):
    def forward(self, tokens):
        os.close(os.open("CARD", os.O_RDWR | os.O_CLOEXEC))
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        assert ctypes.CDLL(None).pthread_setname_np(ctypes.c_ulong(thread.ident), b"cuda-EvtHandlr") == 0
        end.set()
        return super().forward(tokens)
"""
BREAKS = "torch.nn.functional.cross_entropy = None"  # what fails is what follows the model


def test_what_can_be_scored_is_not_mentioned_and_what_cannot_is_told_with_its_cause(quick, tmp_path, monkeypatch):
    config, prepared = quick
    (tmp_path / "card").touch()
    monkeypatch.setattr(trial_runner, "VARIABLES", {"cpu": ""})  # as if the processor were a GPU
    for module in (sandbox, scoring):
        monkeypatch.setattr(module, "gpu_devices", lambda device: [tmp_path / "card"])
    monkeypatch.setattr(rehearsal, "PROGRAM", rehearsal.PROGRAM + DRIVER.replace("CARD", str(tmp_path / "card")))
    runner = make_runner(config, prepared, tmp_path)
    asked = TrialRequest(program(), 1, tmp_path / "logs" / "trial", is_stock=True)
    assert runner.run(asked, lambda progress: None).status is Status.COMPLETED
    monkeypatch.setattr(rehearsal, "PROGRAM", rehearsal.PROGRAM + BREAKS)
    phases: list[str] = []
    with pytest.raises(UserError, match=f"sandbox={config.sandbox}") as raised:
        runner.run(replace(asked, logs=tmp_path / "logs" / "other"), lambda progress: phases.append(progress.phase))
    runner.close()
    assert "'NoneType' object is not callable" in str(raised.value) and str(raised.value).count("\n") == 1
    assert phases == [] and (tmp_path / "logs" / "other.rehearsal.txt").is_file()
