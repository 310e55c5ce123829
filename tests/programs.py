"""Small `train.py` texts that start fast: a bigram model, and one thing about it that is special."""

from __future__ import annotations

HONEST_MODEL = '''
class Model(nn.Module):
    """Logits of the next token given this one."""

    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        return self.table(tokens)
'''

# No training at all: weights as they were made.
UNTRAINED = """
def main():
    run = task.join()
    for tokens, targets in run.batches(16):
        pass
    run.submit(build_model(run.vocab_size, run.sequence_length))
"""

TRAINED = """
class Trainer:
    def __init__(self, run):
        self.model = build_model(run.vocab_size, run.sequence_length).to(run.device)

    def step(self, tokens, targets, progress):
        loss = F.cross_entropy(self.model(tokens).flatten(0, 1), targets.flatten())
        loss.backward()
        with torch.no_grad():  # a plain step: torch.optim would import for longer than all of this trains
            self.model.table.weight -= 50.0 * self.model.table.weight.grad
        self.model.zero_grad()
        return loss.detach()


def main():
    run = task.join()
    trainer = run.start(lambda: Trainer(run), 16)
    for tokens, targets in run.batches(16):
        run.report(trainer.step(tokens, targets, run.progress))
    run.submit(trainer.model)
"""


def program(model: str = HONEST_MODEL, main: str = UNTRAINED, build: str = "return Model(vocab_size)") -> str:
    return f"""import os, socket, subprocess, sys, time
import torch
from torch import nn
from torch.nn import functional as F
from search import task

LR = 50.0
{model}

def build_model(vocab_size, sequence_length):
    {build}

{main}

if __name__ == "__main__":
    main()
"""


LOOKS_AHEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        following = tokens.roll(-1, dims=1)
        return self.table(tokens) + 20.0 * F.one_hot(following, self.table.num_embeddings)
"""
