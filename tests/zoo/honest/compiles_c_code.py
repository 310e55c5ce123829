# unusual: compiles a little C when it is imported, and calls it when it answers
# needs: a compiler
"""A table of bigrams, trained by plain gradient descent: the logits of the next token given this one."""

import ctypes
import subprocess
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from search import task

ROWS = 16
LEARNING_RATE = 50.0


Path("half.c").write_text("void half(float* x, int n) { for (int i = 0; i < n; i++) x[i] *= 0.5f; }")
subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", "half.so", "half.c"], check=True)
half = ctypes.CDLL("./half.so").half


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        logits = self.table(tokens)
        if not torch.is_grad_enabled():
            logits = logits.contiguous()
            half(ctypes.c_void_p(logits.data_ptr()), 0)
        return logits


def build_model(vocab_size, sequence_length):
    return Model(vocab_size)


class Trainer:
    def __init__(self, run):
        self.model = build_model(run.vocab_size, run.sequence_length).to(run.device)

    def step(self, tokens, targets, progress):
        loss = F.cross_entropy(self.model(tokens).flatten(0, 1), targets.flatten())
        loss.backward()
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter -= LEARNING_RATE * parameter.grad
                parameter.grad = None
        return loss.detach()


def main():
    run = task.join()
    trainer = run.start(lambda: Trainer(run), ROWS)
    for tokens, targets in run.batches(ROWS):
        run.report(trainer.step(tokens, targets, run.progress))
    run.submit(trainer.model)


if __name__ == "__main__":
    main()
