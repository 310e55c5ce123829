"""Train a small GPT for a fixed budget. This is the one file that strategies change.

    python train.py task=cpu        one trial of this file as it is: trained, scored, printed

UPPER_CASE literals are the hyperparameters (the defaults are for task=gpu; other tasks set their own). The harness needs
`build_model(vocab_size, sequence_length)`, whose `forward(tokens[B, T])` returns `logits[B, T, vocab_size]`, and `main()`.
What counts is the loss that the budget reaches: a task's budget is of seconds or of tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search import task

# ---- Model
DEPTH = 8  # layers
ASPECT_RATIO = 64  # width = DEPTH * ASPECT_RATIO, rounded up to whole heads
HEAD_DIM = 128  # channels per attention head
WINDOW_PATTERN = "SSSL"  # per layer, repeated: S sees SHORT_WINDOW of the context, L all of it; the last layer is L
SHORT_WINDOW = 0.5
SOFTCAP = 15.0  # logits stay within +-SOFTCAP; 0 for no limit

# ---- Batch
TOTAL_BATCH_SIZE = 524288  # tokens per optimizer step
DEVICE_BATCH_SIZE = 128  # most rows per forward and backward; more are accumulated

# ---- Optimizers
EMBEDDING_LR = 0.6  # token and value embeddings, AdamW; scaled by (width / 768) ** -0.5
UNEMBEDDING_LR = 0.004  # output head, AdamW; scaled likewise
MATRIX_LR = 0.04  # every matrix inside the blocks, Muon
SCALAR_LR = 0.5  # per-layer residual scalars, AdamW
WEIGHT_DECAY = 0.2  # of the matrices, fading out with progress
ADAM_BETA1 = 0.8
ADAM_BETA2 = 0.95
MUON_MOMENTUM = 0.95  # reached over the first MOMENTUM_STEPS steps, from 0.85
MOMENTUM_STEPS = 300

# ---- Schedule, as shares of the budget
WARMUP_RATIO = 0.0
WARMDOWN_RATIO = 0.5
FINAL_LR_FRAC = 0.0


# ---------------------------------------------------------------------------------------------------- model


class Linear(nn.Linear):
    """A matrix without bias, kept in float32 and used in the precision of its input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


def norm(x: Tensor) -> Tensor:
    """Divide by the root mean square over the channels; no learned scale."""
    return F.rms_norm(x, (x.size(-1),))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position: turn each pair of channels (i, i + half) of x[B, T, H, D] by an angle that grows with T."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos + second * sin, second * cos - first * sin), dim=-1)


class Attention(nn.Module):
    """Causal self-attention over the last `window` tokens; queries and keys are normalised.

    Some layers mix a value embedding of the token itself into the values, by a gate per head that starts at one.
    """

    gate_channels = 32

    def __init__(self, width: int, window: int, has_value_embedding: bool) -> None:
        super().__init__()
        self.window = window
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.output = Linear(width, width)
        heads = width // HEAD_DIM
        self.gate = Linear(min(self.gate_channels, width), heads) if has_value_embedding else None

    def forward(self, x: Tensor, value_embedding: Tensor | None, cos: Tensor, sin: Tensor, attend: task.Attend) -> Tensor:
        batch, length, width = x.shape
        heads = (batch, length, width // HEAD_DIM, HEAD_DIM)
        query = norm(rotate(self.query(x).view(heads), cos, sin))
        key = norm(rotate(self.key(x).view(heads), cos, sin))
        value = self.value(x).view(heads)
        if self.gate is not None and value_embedding is not None:
            gate = 2 * torch.sigmoid(self.gate(x[..., : self.gate.in_features]))
            value = value + gate.unsqueeze(-1) * value_embedding.view(heads)
        mixed = attend(query, key, value, self.window)  # [B, T, H, D]; causal, scores scaled by HEAD_DIM ** -0.5
        return self.output(mixed.reshape(batch, length, width))


class MLP(nn.Module):
    """Two matrices around a squared ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = Linear(width, 4 * width)
        self.down = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class Block(nn.Module):
    def __init__(self, width: int, window: int, has_value_embedding: bool) -> None:
        super().__init__()
        self.attention = Attention(width, window, has_value_embedding)
        self.mlp = MLP(width)

    def forward(self, x: Tensor, value_embedding: Tensor | None, cos: Tensor, sin: Tensor, attend: task.Attend) -> Tensor:
        x = x + self.attention(norm(x), value_embedding, cos, sin, attend)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    """Decoder-only transformer. Each layer sees the stream and, again, the token embedding, both scaled per layer."""

    def __init__(self, vocab_size: int, sequence_length: int) -> None:
        super().__init__()
        self.width = HEAD_DIM * math.ceil(DEPTH * ASPECT_RATIO / HEAD_DIM)
        self.windows = tuple(layer_window(layer, sequence_length) for layer in range(DEPTH))
        self.attend: task.Attend | None = None  # set before compiling
        self.embedding = nn.Embedding(vocab_size, self.width)
        # Every other layer, counted so that the last one has a value embedding.
        with_values = [layer for layer in range(DEPTH) if layer % 2 == (DEPTH - 1) % 2]
        self.value_embeddings = nn.ModuleDict({str(layer): nn.Embedding(vocab_size, self.width) for layer in with_values})
        self.blocks = nn.ModuleList(
            Block(self.width, window, layer in with_values) for layer, window in enumerate(self.windows)
        )
        self.head = Linear(self.width, vocab_size)
        self.stream_scale = nn.Parameter(torch.ones(DEPTH))
        self.embedding_scale = nn.Parameter(torch.full((DEPTH,), 0.1))
        frequency = 10000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angle = torch.arange(sequence_length)[:, None] * frequency[None, :]
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", angle.cos()[:, None, :], persistent=False)  # [T, 1, HEAD_DIM / 2]
        self.register_buffer("sin", angle.sin()[:, None, :], persistent=False)
        self.initialize()

    @torch.no_grad()
    def initialize(self) -> None:
        """Matrices uniform with variance 1 / width; whatever writes into the stream starts at zero."""
        bound = math.sqrt(3 / self.width)
        nn.init.normal_(self.embedding.weight, std=1.0)
        nn.init.normal_(self.head.weight, std=0.001)
        for table in self.value_embeddings.parameters():
            nn.init.uniform_(table, -bound, bound)
        for name, parameter in self.blocks.named_parameters():
            if name.endswith(("output.weight", "down.weight", "gate.weight")):
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -bound, bound)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens[B, T] -> logits[B, T, vocab_size], float32."""
        length = tokens.size(1)
        dtype = precision(tokens.device)
        attend = self.attend or self.attention_for(tokens.device)
        cos, sin = self.cos[:length].to(dtype), self.sin[:length].to(dtype)
        embedded = norm(self.embedding(tokens).to(dtype))
        x = embedded
        for layer, block in enumerate(self.blocks):
            x = self.stream_scale[layer].to(dtype) * x + self.embedding_scale[layer].to(dtype) * embedded
            has_values = str(layer) in self.value_embeddings
            values = self.value_embeddings[str(layer)](tokens).to(dtype) if has_values else None
            x = block(x, values, cos, sin, attend)
        logits = self.head(norm(x)).float()
        return SOFTCAP * torch.tanh(logits / SOFTCAP) if SOFTCAP else logits

    def attention_for(self, device: torch.device, compiled: bool = False) -> task.Attend:
        """The fastest attention that works there, and agrees with a masked float32 one."""
        return task.choose_attention(device, len(self.cos), self.windows, HEAD_DIM, compiled)

    def flops_per_token(self) -> float:
        """FLOPs of forward and backward per token: 6 per weight of a matrix, and 12 per channel for each token that a window
        shows."""
        weights = sum(matrix.numel() for matrix in (*self.blocks.parameters(), self.head.weight))
        length = len(self.cos)
        seen = [window * (length - (window - 1) / 2) / length for window in self.windows]  # on average, over positions
        return 6 * weights + 12 * self.width * sum(seen)


def precision(device: torch.device) -> torch.dtype:
    """The type of activations and of the matrices' inputs; weights, logits and optimizers stay in float32."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def layer_window(layer: int, sequence_length: int) -> int:
    """How many tokens a layer sees: itself, and where the window is short this share of the sequence before it."""
    short = layer < DEPTH - 1 and WINDOW_PATTERN[layer % len(WINDOW_PATTERN)] == "S"
    return min(sequence_length, 1 + int(SHORT_WINDOW * sequence_length)) if short else sequence_length


def build_model(vocab_size: int, sequence_length: int) -> nn.Module:
    """The model as the scorer rebuilds it before it loads the trained weights."""
    return GPT(vocab_size, sequence_length)


# ---------------------------------------------------------------------------------------------------- optimizers

# Five steps of Polar Express (Amsel et al. 2025, arXiv 2505.16932): x -> a x + b x x' x + c (x x')^2 x drives the singular
# values towards one.
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalize(matrices: Tensor) -> Tensor:
    """Replace the singular values of each of matrices[N, rows, columns] by about one."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * 1.02 + 1e-6)
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    for a, b, c in POLAR_EXPRESS:
        gram = x @ x.mT
        gram = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)  # b x x' + c (x x')^2, in one pass through memory
        x = torch.baddbmm(x, gram, x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with one second moment per row, or per column of a matrix that is wider than high
    (NorMuon, arXiv 2510.05491, as autoresearch's program has it).

    Parameters of one shape form one group and are stepped together. Weight decay does not act where it is opposed in sign to
    the update ("cautious").
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        shapes = sorted({tuple(parameter.shape) for parameter in parameters})
        groups = [{"params": [p for p in parameters if tuple(p.shape) == shape]} for shape in shapes]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "beta2": 0.95})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            parameters = group["params"]
            gradient = torch.stack([parameter.grad for parameter in parameters])
            rows, columns = gradient.shape[-2:]
            across = -1 if rows >= columns else -2
            state = self.state[parameters[0]]
            if not state:
                state["momentum"] = torch.zeros_like(gradient)
                state["second"] = torch.zeros_like(gradient.mean(dim=across, keepdim=True))
            state["momentum"].lerp_(gradient, 1 - group["momentum"])
            update = orthogonalize(gradient.lerp(state["momentum"], group["momentum"]))
            size = update.norm(dim=(-2, -1), keepdim=True)
            state["second"].lerp_(update.square().mean(dim=across, keepdim=True), 1 - group["beta2"])
            update = update * state["second"].clamp_min(1e-10).rsqrt()
            update = update * (size / update.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-10))
            weights = torch.stack(parameters)
            decay = group["weight_decay"] * weights * (update * weights >= 0)
            rate = group["lr"] * max(1.0, rows / columns) ** 0.5
            torch._foreach_add_(parameters, list((-rate * (update + decay)).unbind()))


def schedule(progress: float) -> float:
    """Learning rates' share of their peak: up, flat, and down to FINAL_LR_FRAC."""
    if progress < WARMUP_RATIO:
        return progress / WARMUP_RATIO
    if progress <= 1 - WARMDOWN_RATIO:
        return 1.0
    left = (1 - progress) / WARMDOWN_RATIO
    return left + (1 - left) * FINAL_LR_FRAC


# ---------------------------------------------------------------------------------------------------- training


class Trainer:
    """Model and optimizers of one training; `step` does one optimizer step."""

    def __init__(self, run: task.Run) -> None:
        self.model = GPT(run.vocab_size, run.sequence_length).to(run.device)
        self.steps = 0
        model = self.model
        scale = (model.width / 768) ** -0.5
        betas = (ADAM_BETA1, ADAM_BETA2)
        matrices = list(model.blocks.parameters())
        embeddings = [*model.embedding.parameters(), *model.value_embeddings.parameters()]
        self.adamw = torch.optim.AdamW(
            [
                {"params": embeddings, "lr": EMBEDDING_LR * scale},
                {"params": list(model.head.parameters()), "lr": UNEMBEDDING_LR * scale},
                # The stream's own scale multiplies through all layers, so it moves a hundred times slower.
                {"params": [model.stream_scale], "lr": SCALAR_LR * 0.01},
                {"params": [model.embedding_scale], "lr": SCALAR_LR, "betas": (0.96, 0.95)},
            ],
            betas=betas,
            eps=1e-10,
            weight_decay=0.0,
            fused=run.device.type != "mps",
        )
        self.muon = Muon(matrices, MATRIX_LR, MUON_MOMENTUM, WEIGHT_DECAY)
        self.peaks = [(group, group["lr"]) for optimizer in (self.adamw, self.muon) for group in optimizer.param_groups]
        grouped = {parameter for group, _ in self.peaks for parameter in group["params"]}
        idle = [name for name, parameter in model.named_parameters() if parameter not in grouped]
        assert not idle, f"in no optimizer group, and so never trained: {', '.join(idle)}"
        compiled = run.device.type == "cuda"
        model.attend = model.attention_for(run.device, compiled)
        # Compiled, the logits are in memory once, in bfloat16: soft cap, loss and gradient are computed while they are read.
        self.loss = torch.compile(self.mean_loss, dynamic=False) if compiled else self.mean_loss
        run.describe(
            attention=model.attend.name,
            compiled="inductor" if compiled else "no",
            precision=str(precision(run.device)).removeprefix("torch."),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            flops_per_token=model.flops_per_token(),
        )

    def mean_loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.model(tokens).flatten(0, 1), targets.flatten())

    def step(self, tokens: Tensor, targets: Tensor, progress: float) -> Tensor:
        """One optimizer step on tokens[B, T]; returns the mean loss in nats per token."""
        for group, peak in self.peaks:
            group["lr"] = peak * schedule(progress)
        for group in self.muon.param_groups:
            group["momentum"] = 0.85 + (MUON_MOMENTUM - 0.85) * min(1.0, self.steps / MOMENTUM_STEPS)
            group["weight_decay"] = WEIGHT_DECAY * (1 - progress)
        total = torch.zeros((), device=tokens.device)
        for rows, answers in zip(tokens.split(DEVICE_BATCH_SIZE), targets.split(DEVICE_BATCH_SIZE), strict=True):
            loss = self.loss(rows, answers) * (len(rows) / len(tokens))
            loss.backward()
            total += loss.detach()
        self.adamw.step()
        self.muon.step()
        self.model.zero_grad(set_to_none=True)
        self.steps += 1
        return total


def main() -> None:
    run = task.join()
    rows = max(1, TOTAL_BATCH_SIZE // run.sequence_length)
    trainer = run.start(lambda: Trainer(run), rows)
    for tokens, targets in run.batches(rows):
        loss = trainer.step(tokens, targets, run.progress)
        run.report(loss)
    run.submit(trainer.model)


if __name__ == "__main__":
    main()
