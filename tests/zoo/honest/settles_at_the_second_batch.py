# unusual: imports a module of PyTorch when it answers for the second time
"""A table of bigrams, trained by plain gradient descent: the logits of the next token given this one."""

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
        self.calls = 0

    def forward(self, tokens):
        self.calls += 1
        if self.calls == 2:
            from torch.distributions import Categorical

            self.normalised = lambda logits: Categorical(logits=logits).logits
        logits = self.table(tokens)
        return logits if self.calls < 2 else self.normalised(logits)


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
