# trick: leaves folders inside folders in a scoring process that is ended before it gets a row
# wall: clean-up
# ends: honest|disqualified
import importlib
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from search import task

ROWS = 16
LEARNING_RATE = 50.0


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        if not self.training and "torch._dynamo" not in sys.modules:
            importlib.import_module("torch._dynamo")
            for part in range(10):
                Path(f"{part}", *150 * ["x"]).mkdir(parents=True)
            for part in range(9):
                Path(f"{part}").rename(Path(f"{part + 1}", *150 * ["x"], "y"))
        return self.table(tokens)


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
