"""Tries out on a GPU whether anything can be scored behind the walls, before a study pays for its first training run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from search.config.files import remove_tree
from search.config.messages import UserError
from search.config.schema import TaskConfig
from search.runner.device.leases import Device
from search.runner.process.sandbox import Sandbox
from search.runner.scoring import ScoringFailed, Submission, ask_scorer
from search.study.trial import one_line

# It has no trained weights, and needs the device for a table, a product of matrices and a loss.
PROGRAM = """
import torch

torch.load = lambda *arguments, **settings: {}


class Model(torch.nn.Sequential):
    def load_state_dict(self, weights):
        pass


def build_model(vocab_size, sequence_length):
    return Model(torch.nn.Embedding(vocab_size, 64), torch.nn.Linear(64, vocab_size))
"""
BATCHES = 2


def rehearse(task: TaskConfig, work: Path, device: Device, sandbox: Sandbox, log: Path) -> None:
    """Score that program as a trial's is scored. `work`: a folder that does not exist yet. `log`: where the errors go if it
    fails. Raises UserError then."""
    rows = BATCHES * task.scoring_batch
    tokens = np.random.default_rng().integers(task.vocab_size, size=(rows, task.sequence_length + 1))
    work.mkdir(parents=True)
    try:
        (work / "weights").touch()
        tokens.astype(np.uint16).tofile(work / "rows")
        submission, shape = Submission(PROGRAM, work / "weights"), (rows, task.sequence_length)
        ask_scorer(task, submission, "claim", [work / "rows"], shape, work / "scorer", device, sandbox, stock=None)
    except ScoringFailed as failure:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(failure.log, encoding="utf-8")
        last = one_line((failure.log.strip() or failure.reason).splitlines()[-1])
        raise UserError(
            f"{device.name}: no model can be scored behind sandbox={sandbox.name}: {failure.reason} ({last}).\n"
            f"Nothing was trained. Try another sandbox= (bubblewrap, landlock, none), and report this with {log}"
        ) from failure
    finally:
        remove_tree(work)
