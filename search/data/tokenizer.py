"""Byte-level BPE: trained with rustbpe, used through tiktoken, kept as JSON (never as a pickle, which can run code)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The field's published split pattern (karpathy/autoresearch, prepare.py): words, numbers of at most two digits,
# punctuation, line ends.
SPLIT_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)


class Tokenizer:
    """`tokens[i]` are the raw bytes of token i; the last id is BOS (beginning of a document), which has no bytes."""

    def __init__(self, tokens: Sequence[bytes], pattern: str = SPLIT_PATTERN) -> None:
        import tiktoken

        self.tokens = list(tokens)
        self.pattern = pattern
        self.vocab_size = len(self.tokens) + 1
        self.bos = len(self.tokens)
        self._encoding = tiktoken.Encoding(
            name="fairtrial",
            pat_str=pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(self.tokens)},
            special_tokens={"<|bos|>": self.bos},
        )

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn `vocab_size - 1` tokens from the texts, and add BOS.

        Raises ValueError if the texts hold too few different pairs to learn that many.
        """
        import rustbpe

        trainer = rustbpe.Tokenizer()
        trainer.train_from_iterator(iter(texts), vocab_size - 1, pattern=SPLIT_PATTERN)
        ranks = {bytes(token): rank for token, rank in trainer.get_mergeable_ranks()}
        tokens = sorted(ranks, key=ranks.__getitem__)
        if len(tokens) != vocab_size - 1:
            raise ValueError(f"the text yields a vocabulary of {len(tokens) + 1} tokens, not of {vocab_size}")
        return cls(tokens)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        record = json.loads(path.read_text())
        return cls([base64.b64decode(token) for token in record["tokens"]], record["pattern"])

    def save(self, path: Path) -> None:
        tokens = [base64.b64encode(token).decode() for token in self.tokens]
        path.write_text(json.dumps({"pattern": self.pattern, "tokens": tokens}))

    def encode(self, text: str) -> npt.NDArray[np.uint16]:
        """[tokens] ids, without BOS; text that looks like a special token is ordinary text. Several threads may call it."""
        return self._encoding.encode_to_numpy(text, disallowed_special=()).astype(np.uint16)

    def byte_lengths(self) -> npt.NDArray[np.int64]:
        """[vocab_size] UTF-8 bytes of each token, BOS 0. Raw bytes: a token may hold a part of a character.

        The field decodes each token alone, which counts such a part as the three bytes of U+FFFD and understates bits
        per byte (karpathy/autoresearch issue 384).
        """
        return np.array([len(token) for token in self.tokens] + [0], dtype=np.int64)

    def field_byte_lengths(self) -> npt.NDArray[np.int64]:
        """[vocab_size] the field's count: UTF-8 bytes of each token decoded alone, BOS 0. For comparison with published
        numbers only; see `byte_lengths` for what is wrong with it."""
        texts = [token.decode("utf-8", errors="replace") for token in self.tokens]
        return np.array([len(text.encode("utf-8")) for text in texts] + [0], dtype=np.int64)
