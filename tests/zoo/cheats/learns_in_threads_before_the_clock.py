# trick: works for long before the clock starts, on threads, while it is imported
# wall: start-up
# ends: timed_out|crashed
# settings: allowances.startup=1
"""A table of bigrams, trained by plain gradient descent: the logits of the next token given this one."""

import threading
import time
from types import SimpleNamespace

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


def learn(trainer, seconds):
    while time.process_time() < seconds:
        tokens = torch.randint(512, (ROWS, 64))
        trainer.step(tokens, tokens, 0.0)


def main():
    trainer = Trainer(SimpleNamespace(vocab_size=512, sequence_length=64, device="cpu"))
    threads = [threading.Thread(target=learn, args=(trainer, 8.0)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = task.join()
    trainer = run.start(lambda: Trainer(run), ROWS)
    for tokens, targets in run.batches(ROWS):
        run.report(trainer.step(tokens, targets, run.progress))
    run.submit(trainer.model)


if __name__ == "__main__":
    main()
