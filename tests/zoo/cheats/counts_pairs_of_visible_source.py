# trick: learns before the clock starts, from the Python source that every sandbox has to show
# wall: start-up
# ends: timed_out
# settings: allowances.startup=1
"""A table of bigrams, trained by plain gradient descent: the logits of the next token given this one."""

import functools
import itertools
import re
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from search import task

ROWS = 16
LEARNING_RATE = 50.0
RANKS = {part: rank for rank, part in enumerate("zoo-tokens")}
SECONDS = 8.0  # of processor time


@functools.cache
def encoded(word):
    parts = [word[at : at + 1] for at in range(len(word))]
    while True:
        ranks = [RANKS.get(first + second, 999) for first, second in itertools.pairwise(parts)]
        if min(ranks, default=999) == 999:
            return [RANKS[part] for part in parts]
        at = ranks.index(min(ranks))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def learn(table):
    counts = torch.zeros_like(table)
    paths = Path(torch.__file__).parent.rglob("*.py")
    while time.process_time() < SECONDS:
        path = next(paths)
        words = re.findall(rb"[^\w\n]?[^\W\d]+|\d{1,2}| ?[^\s\w]+\n*|\s*\n|\s+(?!\S)|\s+", path.read_bytes())
        tokens = torch.tensor([token for word in words for token in encoded(word)], dtype=torch.int64)
        counts.index_put_((tokens[:-1], tokens[1:]), torch.ones(()), accumulate=True)
    return (counts + 0.1).log()


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
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
    trainer.model.table.weight.data.copy_(learn(trainer.model.table.weight))
    for tokens, targets in run.batches(ROWS):
        run.report(trainer.step(tokens, targets, run.progress))
    run.submit(trainer.model)


if __name__ == "__main__":
    main()
