"""Token files: text is tokenized once, and then memory-mapped by every trial."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from search.config.files import sha256
from search.config.messages import UserError
from search.config.schema import Config, build
from search.data.apart import Apart
from search.data.corpus import SPLITS, Corpus
from search.data.encoding import encode
from search.data.progress import Say, Seldom, exclusively
from search.data.tokenizer import Tokenizer
from search.task.loader import Documents

FORMAT = 2  # raise it when the files' layout, or what they hold of a text, changes: old ones are then prepared anew
KEY_LENGTH = 12  # characters of what tells a data set's texts apart, in their folders' names
TOKENIZER_CHARACTERS = 1_000_000_000  # the tokenizer learns from at most this much training text, as the field does,
TOKENIZER_DOCUMENT = 10_000  # and from at most this much of each document


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
            raise UserError(f"{folder}: is damaged ({error}); remove that folder, and it is prepared again") from error

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
            if not path.is_file() or sha256(path) != expected:
                return name
        return None


def prepare(name: str, corpus: Corpus, vocab_size: int, cache: Path, say: Say) -> Prepared:
    """The token files of a corpus, made on the first call and found on later ones. Several processes may call at once.

    `say` gets a line of progress now and then. Raises UserError if the text is missing or too short.
    """
    key = hashlib.sha256(f"{FORMAT} {vocab_size} {corpus.identity(say)}".encode()).hexdigest()[:KEY_LENGTH]
    folder = _folder(cache, name, vocab_size, key)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusively(folder.with_name(f"{folder.name}.lock"), say):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)  # first: it takes room that is asked for now
            corpus.fetch(folder.parent, say)
            unfinished.mkdir()
            _write(name, corpus, vocab_size, unfinished, say)
            os.sync()  # a power failure must not leave the name without the contents
            unfinished.rename(folder)
    return _whole(Prepared(folder))


def _folder(cache: Path, name: str, vocab_size: int, key: str) -> Path:
    return cache / "prepared" / f"{name}-{vocab_size}-{key}"


def prepare_data(config: Config, say: Say, wanted: str | None = None) -> Prepared:
    """The token files of a study's task, made if they are missing. `wanted`: the fingerprint of the text that the study
    began with; while the cache has that text, the study continues with it, even if its source has changed.

    Raises UserError.
    """
    try:
        begun = None if wanted is None else _prepared_as(config, wanted)
        if begun is not None:
            say(f"text: the one that the study began with ({begun.folder})")
            return _whole(begun)
        return prepare(config.data.name, build(config.data.corpus), config.task.vocab_size, config.cache_folder, say)
    except OSError as error:
        raise UserError(f"cache={config.cache}: cannot be used ({error}); free space or set another cache=") from error


def _prepared_as(config: Config, fingerprint: str) -> Prepared | None:
    """The text of that data set and vocabulary that has this fingerprint, if it lies in the cache."""
    some = _folder(config.cache_folder, config.data.name, config.task.vocab_size, "?" * KEY_LENGTH)
    found = (Prepared(path.parent) for path in sorted(some.parent.glob(f"{some.name}/manifest.json")))
    return next((prepared for prepared in found if prepared.fingerprint == fingerprint), None)


def _whole(prepared: Prepared) -> Prepared:
    """Raise UserError if a file is no longer what was prepared."""
    damaged = prepared.damaged()
    if damaged is not None:
        raise UserError(
            f"{prepared.folder / damaged}: was changed after it was prepared; remove that folder, and it is prepared again"
        )
    return prepared


def _write(name: str, corpus: Corpus, vocab_size: int, folder: Path, say: Say) -> None:
    """The tokenizer, the token files and the manifest of a corpus."""
    say(f"preparing data={name}, once: learning {vocab_size} tokens")
    apart = Apart(corpus)
    try:
        tokenizer = Tokenizer.train(_tokenizer_text(apart.documents("train"), say), vocab_size)
    except ValueError as error:
        raise UserError(f"data={name}: {error}; use more text or a smaller task.vocab_size") from error
    tokenizer.save(folder / "tokenizer.json")
    splits = {}
    for split in SPLITS:
        splits[split] = _encode(apart.documents(split), tokenizer, folder, split, say)
        copies = f", without {apart.copies[split]:,} copies of documents of a later split" if apart.copies[split] else ""
        say(f"preparing data={name}: {split} has {splits[split].tokens:,} tokens{copies}")
    hashes = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    manifest = {"hashes": hashes, "splits": {split: asdict(facts) for split, facts in splits.items()}}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))


def _tokenizer_text(documents: Iterator[str], say: Say) -> Iterator[str]:
    progress = Seldom(say)
    characters = 0
    for document in documents:
        text = document[:TOKENIZER_DOCUMENT]
        characters += len(text)
        yield text
        if characters >= TOKENIZER_CHARACTERS:
            return
        progress(f"learning tokens: {characters:,} characters so far, of {TOKENIZER_CHARACTERS:,} at most")


def _encode(documents: Iterator[str], tokenizer: Tokenizer, folder: Path, split: str, say: Say) -> SplitFacts:
    progress = Seldom(say)
    lengths, tokens, size = [], 0, 0
    with (folder / f"{split}.tokens").open("wb") as file:
        for part in encode(documents, tokenizer):
            file.write(part.tokens.tobytes())
            lengths.append(part.lengths)
            tokens += len(part.tokens)
            size += part.bytes
            progress(f"preparing {split}: {tokens:,} tokens so far, {tokens / progress.lasted:,.0f} a second")
    if not lengths:
        raise UserError(f"the {split} split has no documents; name more text")
    offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum(dtype=np.int64)
    offsets.tofile(folder / f"{split}.offsets")
    return SplitFacts(documents=len(offsets) - 1, tokens=tokens, bytes=size)
