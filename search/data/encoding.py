"""From documents to tokens on all cores, in the documents' order and in little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from search.config.places import usable_cores
from search.data.tokenizer import Tokenizer

# Threads suffice: tiktoken holds no lock of Python's while it works. Characters in one thread's piece of work: 50 ms of
# work, so that handing it over costs nothing (measured: 11 million characters a second on one core).
BATCH_CHARACTERS = 500_000
AHEAD = 2  # pieces in memory for each thread

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Encoded:
    """Some documents: their tokens one after the other, each one's number of tokens, and their UTF-8 bytes."""

    tokens: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.int64]
    bytes: int


def encode(documents: Iterable[str], tokenizer: Tokenizer, threads: int | None = None) -> Iterator[Encoded]:
    """All documents in order, some at a time. `threads`: one per core if not given. What `documents` raises is passed on."""
    threads = threads or len(usable_cores())
    with ThreadPoolExecutor(threads) as pool:
        yield from _in_order(pool, partial(_encode, tokenizer), _batches(documents), AHEAD * threads)


def _encode(tokenizer: Tokenizer, documents: list[str]) -> Encoded:
    ids = [tokenizer.encode(text) for text in documents]
    lengths = np.array([len(document) for document in ids], dtype=np.int64)
    return Encoded(np.concatenate(ids), lengths, sum(len(text.encode()) for text in documents))


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    """Documents in lists of about BATCH_CHARACTERS; none is divided, since a token could span the cut."""
    batch, characters = [], 0
    for document in documents:
        batch.append(document)
        characters += len(document)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """`pool.map`, but with at most `ahead` items taken in advance: before Python 3.14 that one takes them all at once."""
    running: deque[Future[Result]] = deque()
    for item in items:
        running.append(pool.submit(function, item))
        if len(running) >= ahead:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()
