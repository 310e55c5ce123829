"""Token files: text is tokenized once, and then memory-mapped by every trial."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from search.task.corpus import SPLITS, Corpus, CorpusError
from search.task.loader import Documents
from search.task.tokenizer import Tokenizer

FORMAT = 1  # raise it when the files' layout changes: old ones are then prepared anew
TOKENIZER_CHARACTERS = 1_000_000_000  # the tokenizer learns from at most this much training text, as the field does,
TOKENIZER_DOCUMENT = 10_000  # and from at most this much of each document
ENCODE_BATCH = 256  # documents encoded at a time
REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class SplitFacts:
    documents: int
    tokens: int
    bytes: int


class Prepared:
    """A folder of token files: `manifest.json`, `tokenizer.json`, and per split `.tokens` (uint16), `.offsets` (int64)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            self.hashes: dict[str, str] = manifest["hashes"]
            self.splits = {name: SplitFacts(**facts) for name, facts in manifest["splits"].items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{folder}: is damaged ({error}); remove that folder, and it is prepared anew") from error

    @property
    def fingerprint(self) -> str:
        """Of the contents, not of the paths: two machines with the same text and tokenizer agree."""
        return hashlib.sha256(json.dumps(self.hashes, sort_keys=True).encode()).hexdigest()

    def files(self, split: str) -> tuple[Path, Path]:
        """The tokens' and the offsets' file of a split."""
        return self.folder / f"{split}.tokens", self.folder / f"{split}.offsets"

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.load(self.folder / "tokenizer.json")

    def documents(self, split: str) -> Documents:
        tokens, offsets = self.files(split)
        return Documents(np.memmap(tokens, np.uint16, "r"), np.fromfile(offsets, np.int64))

    def damaged(self) -> str | None:
        """The name of a file that is no longer what was prepared, or None. Reads every file."""
        for name, expected in self.hashes.items():
            path = self.folder / name
            if not path.is_file() or _hash(path) != expected:
                return name
        return None


def prepared_folder(name: str, corpus: Corpus, vocab_size: int, cache: Path) -> Path:
    """Where the token files of this text and vocabulary lie, or would lie. Raises CorpusError."""
    key = hashlib.sha256(f"{FORMAT} {vocab_size} {corpus.identity()}".encode()).hexdigest()[:12]
    return cache / "prepared" / f"{name}-{vocab_size}-{key}"


def prepare(name: str, corpus: Corpus, vocab_size: int, cache: Path, report: Callable[[str], None]) -> Prepared:
    """The token files of a corpus; made on the first call, found on the later ones. Several processes may call at once.

    `report` gets a line of progress now and then. Raises CorpusError where the text is missing or too short.
    """
    folder = prepared_folder(name, corpus, vocab_size, cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            report(f"preparing data={name}, once: learning {vocab_size} tokens")
            try:
                tokenizer = Tokenizer.train(_tokenizer_text(corpus), vocab_size)
            except ValueError as error:
                raise CorpusError(f"data={name}: {error}; use more text or a smaller task.vocab_size") from error
            tokenizer.save(unfinished / "tokenizer.json")
            splits = {}
            for split in SPLITS:
                splits[split] = _encode(corpus.documents(split), tokenizer, unfinished, split, report)
                report(f"preparing data={name}: {split} has {splits[split].tokens:,} tokens")
            hashes = {path.name: _hash(path) for path in sorted(unfinished.iterdir())}
            manifest = {"hashes": hashes, "splits": {split: asdict(facts) for split, facts in splits.items()}}
            (unfinished / "manifest.json").write_text(json.dumps(manifest, indent=2))
            os.sync()  # a power failure must not leave the name without the contents
            unfinished.rename(folder)
    prepared = Prepared(folder)
    damaged = prepared.damaged()
    if damaged is not None:
        raise CorpusError(f"{folder / damaged}: is not what was prepared; remove that folder, and it is prepared anew")
    return prepared


def _tokenizer_text(corpus: Corpus) -> Iterator[str]:
    characters = 0
    for document in corpus.documents("train"):
        text = document[:TOKENIZER_DOCUMENT]
        characters += len(text)
        yield text
        if characters >= TOKENIZER_CHARACTERS:
            return


def _encode(
    documents: Iterator[str], tokenizer: Tokenizer, folder: Path, split: str, report: Callable[[str], None]
) -> SplitFacts:
    offsets, size = [0], 0
    spoke = time.monotonic()
    with (folder / f"{split}.tokens").open("wb") as file:
        while batch := list(islice(documents, ENCODE_BATCH)):
            size += sum(len(text.encode()) for text in batch)
            for ids in tokenizer.encode(batch):
                file.write(np.array(ids, dtype=np.uint16).tobytes())
                offsets.append(offsets[-1] + len(ids))
            if time.monotonic() - spoke > REPORT_SECONDS:
                spoke = time.monotonic()
                report(f"preparing {split}: {offsets[-1]:,} tokens so far")
    if len(offsets) == 1:
        raise CorpusError(f"the {split} split has no documents; name more text")
    np.array(offsets, dtype=np.int64).tofile(folder / f"{split}.offsets")
    return SplitFacts(documents=len(offsets) - 1, tokens=offsets[-1], bytes=size)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
