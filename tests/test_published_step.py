"""The stock's first weights and whole steps, compared with the published mathematics: the program at
https://github.com/karpathy/autoresearch, commit 228791f, and the papers that it builds on (Polar Express, arXiv 2505.16932;
NorMuon, arXiv 2510.05491). They are written here from their description, one matrix at a time, with the published constants.

All is done in float64, where two ways to compute one step differ by 1e-8 in a matrix, and by 1e-5 where AdamW divides a
gradient of almost nothing by its own size. More is another formula.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import train

DEPTH, HEAD_DIM, WIDTH = 4, 32, 64  # two heads; the gate sees half of the channels
VOCABULARY, LENGTH, ROWS = 96, 32, 4
PLACES_BEFORE = (LENGTH // 2, LENGTH // 2, LENGTH // 2, LENGTH)  # that a layer sees besides the token itself: SSSL
WITH_VALUES = (1, 3)  # every other layer, the last one included

# Coefficients of its five steps.
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)
# Steps taken, and progress: consecutive ones, the momentum's warm-up half-way, at its end and long after.
MOMENTS = ((0, 0.0), (1, 0.05), (2, 0.1), (3, 0.3), (150, 0.55), (151, 0.7), (300, 0.8), (1000, 0.95))


def unit(x):
    return x / x.square().mean(-1, keepdim=True).sqrt()


def heads(x):
    """[B, T, H D] -> [B, H, T, D]."""
    return x.unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)


def turned(x):
    """Channels i and i + D / 2 are a complex number, which position t turns by -t / 10000 ** (2 i / D)."""
    frequencies = 10000.0 ** -(torch.arange(HEAD_DIM // 2) * 2 / HEAD_DIM)
    angles = -torch.outer(torch.arange(LENGTH).double(), frequencies)
    z = torch.complex(*x.chunk(2, dim=-1)) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((z.real, z.imag), dim=-1)


def attention(weights, layer, tokens, x):
    def project(part, inputs=x):
        return inputs @ weights[f"blocks.{layer}.attention.{part}.weight"].T

    query, key = (unit(turned(heads(project(part)))) for part in ("query", "key"))
    value = heads(project("value"))
    if layer in WITH_VALUES:
        gate = 2 / (1 + torch.exp(-project("gate", x[..., :32])))  # [B, T, H]
        value = value + gate.mT.unsqueeze(-1) * heads(weights[f"value_embeddings.{layer}.weight"][tokens])
    age = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    hidden = (age < 0) | (age > PLACES_BEFORE[layer])
    scores = (query @ key.mT / math.sqrt(HEAD_DIM)).masked_fill(hidden, -math.inf)
    return project("output", (scores.softmax(-1) @ value).transpose(1, 2).flatten(2))


def nats(weights, tokens, targets):
    """The mean loss per token."""
    embedded = unit(weights["embedding.weight"][tokens])
    x = embedded
    for layer in range(DEPTH):
        x = weights["stream_scale"][layer] * x + weights["embedding_scale"][layer] * embedded
        x = x + attention(weights, layer, tokens, unit(x))
        up, down = (weights[f"blocks.{layer}.mlp.{part}.weight"] for part in ("up", "down"))
        x = x + (unit(x) @ up.T).clamp_min(0) ** 2 @ down.T
    logits = 15 * torch.tanh(unit(x) @ weights["head.weight"].T / 15)
    return (logits.logsumexp(-1) - logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)).mean()


class Published:
    """The published optimizers on weights of their own, by the stock's names."""

    def __init__(self, model, rates_share):
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        self.rates_share = rates_share  # of progress
        self.moments = dict.fromkeys(self.weights, (0.0, 0.0))
        self.taken = 0

    def step(self, tokens, targets, steps, progress):
        leaves = {name: weight.clone().requires_grad_() for name, weight in self.weights.items()}
        loss = nats(leaves, tokens, targets)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        self.taken += 1
        for name, gradient in zip(leaves, gradients, strict=True):
            if name.startswith("blocks."):
                change = self.muon(
                    name, gradient, momentum=np.interp(steps, (0, 300), (0.85, 0.95)), decay=0.2 * (1 - progress)
                )
            else:
                change = self.adamw(name, gradient)
            self.weights[name] = self.weights[name] - self.rates_share(progress) * change
        return loss.detach()

    def adamw(self, name, gradient):
        by_width = (WIDTH / 768) ** -0.5
        rates = {"embedding": 0.6 * by_width, "value_embeddings": 0.6 * by_width, "head": 0.004 * by_width}
        rates |= {"stream_scale": 0.5 / 100, "embedding_scale": 0.5}
        beta1, beta2 = (0.96, 0.95) if name == "embedding_scale" else (0.8, 0.95)
        mean, square = self.moments[name]
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        self.moments[name] = mean, square
        mean, square = mean / (1 - beta1**self.taken), square / (1 - beta2**self.taken)
        return rates[name.split(".")[0]] * mean / (square.sqrt() + 1e-10)

    def muon(self, name, gradient, momentum, decay):
        weight = self.weights[name]
        rows, columns = weight.shape
        mean, square = self.moments[name]
        mean = momentum * mean + (1 - momentum) * gradient
        x = (1 - momentum) * gradient + momentum * mean  # Nesterov
        x = x / (1.02 * torch.linalg.matrix_norm(x) + 1e-6)
        for a, b, c in POLAR_EXPRESS:
            gram = x @ x.T
            x = a * x + b * gram @ x + c * gram @ gram @ x
        variance = (x**2).mean(dim=1 if rows >= columns else 0, keepdim=True)  # of each row, or column of a wide matrix
        square = 0.95 * square + 0.05 * variance
        self.moments[name] = mean, square
        scaled = x / square.clamp_min(1e-10).sqrt()
        scaled = scaled * torch.linalg.matrix_norm(x) / torch.linalg.matrix_norm(scaled).clamp_min(1e-10)
        agrees = scaled * weight >= 0  # where they do not oppose each other, as at 0, the weight decays
        return 0.04 * math.sqrt(max(1.0, rows / columns)) * (scaled + decay * weight * agrees)


@pytest.fixture
def trainer(monkeypatch):
    """Small, and in float64. All other constants are those of the file."""
    sizes = {"DEPTH": DEPTH, "ASPECT_RATIO": WIDTH // DEPTH, "HEAD_DIM": HEAD_DIM, "DEVICE_BATCH_SIZE": ROWS // 2}
    for name, value in sizes.items():
        monkeypatch.setattr(train, name, value)
    monkeypatch.setattr(train, "precision", lambda device: torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    run = SimpleNamespace(
        device=torch.device("cpu"), vocab_size=VOCABULARY, sequence_length=LENGTH, describe=lambda **facts: None
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    try:
        yield train.Trainer(run)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("constants", "corners", "shares"),
    [
        ({}, (0.0, 0.5, 1.0), (1.0, 1.0, 0.0)),  # the file's own
        ({"WARMUP_RATIO": 0.1, "WARMDOWN_RATIO": 0.4, "FINAL_LR_FRAC": 0.2}, (0.0, 0.1, 0.6, 1.0), (0.0, 1.0, 1.0, 0.2)),
    ],
    ids=["published schedule", "schedule of three parts"],
)
def test_the_stock_takes_the_published_steps(trainer, monkeypatch, constants, corners, shares):
    for name, value in constants.items():
        monkeypatch.setattr(train, name, value)
    published = Published(trainer.model, lambda progress: np.interp(progress, corners, shares))
    generator = torch.Generator().manual_seed(1)
    for steps, progress in MOMENTS:
        rows = torch.randint(VOCABULARY, (ROWS, LENGTH + 1), generator=generator)
        tokens, targets = rows[:, :-1], rows[:, 1:]
        trainer.steps = steps
        loss = trainer.step(tokens, targets, progress)
        assert loss.item() == pytest.approx(published.step(tokens, targets, steps, progress).item(), abs=1e-7)
        for name, weight in trainer.model.named_parameters():
            apart = (weight - published.weights[name]).abs().max().item()
            assert apart < (1e-6 if name.startswith("blocks.") else 1e-4), f"{name} after step {steps}"
        assert trainer.steps == steps + 1


def test_weights_begin_as_published(trainer):
    """Matrices uniform with variance 1 / width, but those that write into the stream, and the gates, are zero."""
    spread = {"embedding": 1.0, "head": 0.001, "output": 0.0, "down": 0.0, "gate": 0.0}
    for name, weight in trainer.model.named_parameters():
        if name in ("stream_scale", "embedding_scale"):
            assert (weight == (1.0 if name == "stream_scale" else 0.1)).all()
            continue
        expected = spread.get(name.split(".")[-2], WIDTH**-0.5)
        assert weight.std().item() == pytest.approx(expected, rel=0.05), name
        uniform = expected == WIDTH**-0.5
        assert not uniform or weight.abs().max() <= math.sqrt(3 / WIDTH), name
