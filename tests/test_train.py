"""The stock's own promises: what it counts, what it keeps in memory, and that a device batch changes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch.utils.flop_counter import FlopCounterMode

import train
from search.task.attention import reference

VOCABULARY, LENGTH, ROWS = 96, 64, 6
RUN = SimpleNamespace(
    device=torch.device("cpu"), vocab_size=VOCABULARY, sequence_length=LENGTH, describe=lambda **facts: None
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {
        "DEPTH": 4,
        "ASPECT_RATIO": 16,
        "HEAD_DIM": 32,
        "SHORT_WINDOW": 0.25,
        "DEVICE_BATCH_SIZE": 3,
    }.items():
        monkeypatch.setattr(train, name, value)
    torch.manual_seed(0)
    torch._dynamo.reset()


def batch(seed=0):
    rows = torch.randint(VOCABULARY, (ROWS, LENGTH + 1), generator=torch.Generator().manual_seed(seed))
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def trained(trainer, steps=3):
    for step in range(steps):
        loss = trainer.step(*batch(step), step / steps)
    return trainer.model, loss


def test_windows_follow_the_pattern_and_the_last_layer_sees_everything():
    model, _ = trained(train.Trainer(RUN))
    assert model.windows == (17, 17, 17, LENGTH)
    tokens, _ = batch()
    model.attend = lambda query, key, value, window: reference(query, key, value, window)
    exact = model(tokens)
    model.attend = None
    assert torch.allclose(model(tokens), exact, atol=1e-4)


def test_logits_never_look_ahead_and_stay_within_the_cap():
    model, _ = trained(train.Trainer(RUN))
    tokens, _ = batch()
    logits = model(tokens)
    assert logits.dtype == torch.float32 and logits.abs().max() <= train.SOFTCAP
    changed = tokens.clone()
    changed[:, LENGTH // 2 :] = 0
    assert torch.equal(model(changed)[:, : LENGTH // 2], logits[:, : LENGTH // 2])


def test_a_parameter_that_no_optimizer_steps_is_named(monkeypatch):
    class Forgetful(train.GPT):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.copy_scale = nn.Parameter(torch.ones(1))

    monkeypatch.setattr(train, "GPT", Forgetful)
    with pytest.raises(AssertionError, match="in no optimizer group, and so never trained: copy_scale"):
        train.Trainer(RUN)


@pytest.mark.parametrize("rows", [3, 4, 1])  # 4 leaves a rest of 2
def test_a_smaller_device_batch_only_takes_longer(rows, monkeypatch):
    """The gradients of a step are those of all rows at once."""
    weights = trained(train.Trainer(RUN))[0].state_dict()
    gradients = []
    for device_batch in (ROWS, rows):
        monkeypatch.setattr(train, "DEVICE_BATCH_SIZE", device_batch)
        trainer = train.Trainer(RUN)
        trainer.model.load_state_dict(weights)
        for optimizer in (trainer.adamw, trainer.muon):
            monkeypatch.setattr(optimizer, "step", lambda: None)
        monkeypatch.setattr(trainer.model, "zero_grad", lambda set_to_none: None)
        trainer.step(*batch(), 0.5)
        gradients.append([parameter.grad for parameter in trainer.model.parameters()])
    for whole, parts in zip(*gradients, strict=True):
        assert torch.allclose(whole, parts, rtol=1e-3, atol=1e-6)


def test_the_flops_of_a_token_are_those_that_a_step_does(monkeypatch):
    monkeypatch.setattr(train, "WINDOW_PATTERN", "L")
    trainer = train.Trainer(RUN)
    tokens, targets = batch()
    with FlopCounterMode(display=False) as counted:
        trainer.mean_loss(tokens, targets).backward()
    model = trainer.model
    # Where every position sees every other, as this counter takes it, attention is 12 * width * LENGTH per layer.
    attention = 12 * model.width * LENGTH * train.DEPTH
    causal = 12 * model.width * (LENGTH + 1) / 2 * train.DEPTH
    by_matrices = sum(flops for name, flops in counted.get_flop_counts()["Global"].items() if "attention" not in str(name))
    assert model.flops_per_token() - causal == pytest.approx(by_matrices / tokens.numel())
    assert causal < model.flops_per_token() - causal + attention


@pytest.mark.parametrize(("window", "seen"), [(LENGTH, (LENGTH + 1) / 2), (1, 1.0), (16, (16 * 17 / 2 + 48 * 16) / 64)])
def test_a_window_counts_what_it_shows(window, seen):
    model = train.GPT(VOCABULARY, LENGTH)
    model.windows = (window,)
    matrices = 6 * sum(matrix.numel() for matrix in (*model.blocks.parameters(), model.head.weight))
    assert model.flops_per_token() - matrices == pytest.approx(12 * model.width * seen)


def test_compiled_the_logits_are_kept_in_bfloat16_only(monkeypatch):
    monkeypatch.setattr(train, "precision", lambda device: torch.bfloat16)
    trainer = train.Trainer(RUN)
    compiled = torch.compile(trainer.mean_loss, dynamic=False, fullgraph=True, backend="aot_eager_decomp_partition")
    kept: list[tuple[int, torch.dtype]] = []

    def keep(tensor):
        kept.append((tensor.numel(), tensor.dtype))
        return tensor

    tokens, targets = batch()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = compiled(tokens, targets)
    logits = tokens.numel() * VOCABULARY
    assert (logits, torch.bfloat16) in kept and (logits, torch.float32) not in kept
    loss.backward()
    assert torch.allclose(loss, trainer.mean_loss(tokens, targets), atol=1e-3)


def test_what_the_warm_up_compiled_serves_the_next_instance():
    """Also with the second of two trainers, nothing is compiled on the clock."""
    counters.clear()
    for _ in range(2):
        trainer = train.Trainer(RUN)
        trainer.loss = torch.compile(trainer.mean_loss, dynamic=False, fullgraph=True, backend="aot_eager")
        trained(trainer)
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("shape", [(3, 40, 8), (3, 8, 40)])
def test_orthogonalising_keeps_directions_and_evens_out_sizes(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    exact = left @ right
    ours = train.orthogonalize(matrices)
    assert (torch.linalg.svdvals(ours) - 1).abs().max() < 0.2  # as far as five steps of bfloat16's kind go
    assert (ours - exact).norm() < 0.15 * exact.norm()


def test_scoring_builds_the_model_that_training_trained():
    model, _ = trained(train.Trainer(RUN))
    scored = train.build_model(VOCABULARY, LENGTH)
    assert isinstance(scored, nn.Module)
    scored.load_state_dict(model.state_dict())
    tokens, _ = batch()
    with torch.inference_mode():
        assert torch.equal(scored(tokens), model(tokens))
