# unusual: attention by a mask that is a function, not compiled
"""A table of bigrams, trained by plain gradient descent: the logits of the next token given this one."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from search import task

ROWS = 16
LEARNING_RATE = 1.0


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, 32)
        self.head = nn.Linear(32, vocab_size)
        self.mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, 64, 64, device="cpu")

    def forward(self, tokens):
        hidden = self.table(tokens).unsqueeze(1)
        fixed = hidden.detach()  # on a CPU it has no gradients
        return self.head(flex_attention(fixed, fixed, fixed, block_mask=self.mask).squeeze(1) + hidden.squeeze(1))


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
