"""Keeps the splits of a text apart: what is scored was never trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from search.data.corpus import SPLITS, Corpus, fingerprint


class Apart:
    """The documents of a corpus. Copies of one text stay in only one split: the last that has it, since that split is
    read least. `copies`: how many documents each split lost, once all of it has been read.

    It keeps one hash per scored document in memory, and nothing of the training text, which may be large."""

    def __init__(self, corpus: Corpus) -> None:
        """Reads the splits that are scored. Raises UserError."""
        self.copies: Counter[str] = Counter()
        self._corpus = corpus
        self._later: dict[str, frozenset[bytes]] = {}
        later: frozenset[bytes] = frozenset()
        for split in reversed(SPLITS):
            self._later[split] = later
            if split != SPLITS[0]:
                later |= frozenset(map(fingerprint, corpus.documents(split)))

    def documents(self, split: str) -> Iterator[str]:
        """Those of one of the SPLITS, in the corpus's order. Raises UserError."""
        copies = 0
        for text in self._corpus.documents(split):
            if fingerprint(text) in self._later[split]:
                copies += 1
            else:
                yield text
        self.copies[split] = copies
