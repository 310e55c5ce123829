"""From documents to rows of tokens: two ways of packing, and the endless training order drawn from a seed.

A row is [T + 1] tokens that begin with BOS: `row[:-1]` goes into the model, `row[1:]` is what it should predict.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.uint16]
T = TypeVar("T")

BLOCK_TOKENS = 4_194_304  # documents that `consecutive` cuts (and training shuffles) at a time: 8 MB
BEST_FIT_BUFFER = 1_000  # documents that `best_fit` chooses from, as the field does
BEST_FIT_ROWS = 64  # rows that `best_fit` hands over at a time


class Documents:
    """Documents end to end: document i is `tokens[offsets[i]:offsets[i + 1]]`, without BOS."""

    def __init__(self, tokens: Tokens, offsets: npt.NDArray[np.int64]) -> None:
        self.tokens = tokens
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Tokens:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


class Packer:
    """Packs documents into rows and counts what it had to drop."""

    def __init__(self, sequence_length: int, bos: int) -> None:
        self.sequence_length = sequence_length
        self.bos = bos
        self.packed = 0  # document tokens in rows
        self.dropped = 0  # document tokens in no row

    @property
    def dropped_share(self) -> float:
        """Share of the document tokens met so far that no row holds."""
        return self.dropped / max(1, self.packed + self.dropped)

    def pack(self, documents: Iterable[Tokens]) -> Iterator[Tokens]:
        """Blocks of rows, [n, T + 1] each."""
        raise NotImplementedError


class Consecutive(Packer):
    """Cuts the documents, one after the other, into rows; only the rest that fills no row is dropped.

    For short rows, where best-fit would drop most of every document.
    """

    def pack(self, documents: Iterable[Tokens]) -> Iterator[Tokens]:
        block: list[Tokens] = []
        waiting = 0
        for document in documents:
            block.append(document)
            waiting += len(document)
            if waiting >= BLOCK_TOKENS:
                yield self._cut(block, waiting)
                block, waiting = [], 0
        if block:
            yield self._cut(block, waiting)

    def _cut(self, documents: list[Tokens], total: int) -> Tokens:
        length = self.sequence_length
        rows = np.full(((total + len(documents)) // length + 1, length + 1), self.bos, dtype=np.uint16)
        row, at = 0, 1  # the next free place; each row already begins with BOS
        for document in documents:
            if at > 1:  # inside a row a BOS announces the document; at its beginning the row's own BOS does
                at += 1
            taken = 0
            while taken < len(document):
                if at > length:
                    row, at = row + 1, 1
                piece = document[taken : taken + length + 1 - at]
                rows[row, at : at + len(piece)] = piece
                taken += len(piece)
                at += len(piece)
        whole = row + 1 if at > length else row
        unfinished = 0 if at > length else int(np.count_nonzero(rows[row, 1:at] != self.bos))
        self.packed += total - unfinished
        self.dropped += unfinished
        return rows[:whole]


class BestFit(Packer):
    """Fills each row with the longest documents that still fit, and crops the shortest where none does (the field's way).

    A document's cropped rest is dropped. From a buffer of 1,000 documents kept sorted by length, so that each choice is a
    binary search.
    """

    def pack(self, documents: Iterable[Tokens]) -> Iterator[Tokens]:
        source = iter(documents)
        buffer: list[tuple[int, int]] = []  # (length, key), sorted
        texts: dict[int, Tokens] = {}
        key = 0
        rows: list[Tokens] = []
        while True:
            row = np.empty(self.sequence_length + 1, dtype=np.uint16)
            at = 0
            while at <= self.sequence_length:
                while len(buffer) < BEST_FIT_BUFFER and (document := next(source, None)) is not None:
                    bisect.insort(buffer, (len(document), key))
                    texts[key] = document
                    key += 1
                if not buffer:
                    unfinished = int(np.count_nonzero(row[:at] != self.bos))
                    self.packed -= unfinished
                    self.dropped += unfinished
                    if rows:
                        yield np.stack(rows)
                    return
                at += self._place(row, at, buffer, texts)
            rows.append(row)
            if len(rows) == BEST_FIT_ROWS:
                yield np.stack(rows)
                rows = []

    def _place(self, row: Tokens, at: int, buffer: list[tuple[int, int]], texts: dict[int, Tokens]) -> int:
        """Put BOS and the best document at `at`; return how many places that took."""
        row[at] = self.bos
        room = self.sequence_length - at
        if room == 0:  # the BOS alone fills the row
            return 1
        chosen = bisect.bisect_right(buffer, (room, np.iinfo(np.int64).max)) - 1
        length, key = buffer.pop(max(0, chosen))
        taken = min(length, room)
        row[at + 1 : at + 1 + taken] = texts.pop(key)[:taken]
        self.packed += taken
        self.dropped += length - taken
        return 1 + taken


PACKINGS: dict[str, type[Packer]] = {"consecutive": Consecutive, "best_fit": BestFit}


def training_rows(documents: Documents, packer: Packer, seed: int) -> Iterator[Tokens]:
    """Rows without end, one [T + 1] at a time, in an order that the seed alone decides.

    Each pass draws a new document order; the rows of one block are shuffled too, so that a batch does not consist of
    one long document.
    """
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(len(documents))
        produced = False
        for block in packer.pack(documents[int(index)] for index in order):
            for index in generator.permutation(len(block)):
                produced = True
                yield block[index]
        if not produced:
            raise ValueError(f"the training text is too short for one row of {packer.sequence_length} tokens")


def scoring_rows(documents: Documents, packer: Packer, count: int) -> Tokens:
    """[count, T + 1] rows, spread evenly over all documents in their own order: the same for every trial.

    Spread, since neighboring rows are of one document: the first rows of the `python` text came from a handful of files,
    and their score told more of these files than of the model.

    Raises ValueError if the documents do not fill that many rows.
    """
    blocks = list(packer.pack(documents[index] for index in range(len(documents))))
    have = sum(len(block) for block in blocks)
    if have < count:
        raise ValueError(f"the text fills {have} rows, and the task scores {count}")
    return np.concatenate(blocks)[np.arange(count) * have // count]


def prefetched(source: Iterator[T], ahead: int) -> Iterator[T]:
    """The same values in the same order, made by another thread, `ahead` of them in advance. For sources without end."""
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        coming = deque(thread.submit(next, source) for _ in range(ahead))
        try:
            while True:
                value = coming.popleft().result()
                coming.append(thread.submit(next, source))
                yield value
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
