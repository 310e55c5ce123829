"""Text in parquet files: the shards of a data set on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from search.config.messages import UserError
from search.config.places import resolve
from search.data.corpus import SPLITS
from search.data.progress import Say
from search.data.shards import Shards

ROWS = 1024  # read at a time, as many as the field's shards group
NAME = re.compile(r"[^{}]*\{(:0?[0-9]{0,2}d)?\}[^{}]*")  # with one place for the shard's number


class ParquetCorpus:
    """Each row of a shard's column `text` is a document, and each shard belongs to one split.

    `folder`: where the shards lie, or are to lie; a folder that holds them all is only read, and needs no network.
    `repository`, `mirror`: where missing ones come from (see `Shards`). `name`: a shard's file name, with a place for its
    number. `train`, `validation`, `confirmation`: the numbers.

    Raises UserError if one of these cannot be such a thing.
    """

    def __init__(
        self,
        folder: str,
        repository: str,
        mirror: str | None,
        name: str,
        train: list[int],
        validation: list[int],
        confirmation: list[int],
    ) -> None:
        if not NAME.fullmatch(name):
            raise UserError(f"data.corpus.name={name}: needs one place for a shard's number, as shard_{{:05d}}.parquet")
        numbers = {"train": train, "validation": validation, "confirmation": confirmation}
        for split in SPLITS:
            _check_numbers(split, numbers[split])
        self.splits = {split: [name.format(number) for number in numbers[split]] for split in SPLITS}
        self._names = [name for split in SPLITS for name in self.splits[split]]
        if len(set(self._names)) < len(self._names):
            raise UserError("data.corpus.train, validation, confirmation: a shard is named twice; name each in one split")
        self.shards = Shards(resolve(folder), repository, mirror)

    def identity(self, say: Say) -> str:
        contents = self.shards.contents(self._names, say)
        lines = [f"{split} {name} {contents[name]}" for split, names in self.splits.items() for name in names]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def fetch(self, tokens: Path, say: Say) -> None:
        self.shards.fetch(self._names, tokens, say)

    def documents(self, split: str) -> Iterator[str]:
        import pyarrow.parquet

        for name in self.splits[split]:
            path = self.shards.path(name)
            try:
                for batch in pyarrow.parquet.ParquetFile(path).iter_batches(ROWS, columns=["text"]):
                    yield from filter(None, batch.column("text").to_pylist())
            except (pyarrow.ArrowException, OSError, KeyError) as error:
                reason = " ".join(str(error).split())
                raise UserError(
                    f"data.corpus.folder: {path} cannot be read ({reason});\nremove it, and it is downloaded again"
                ) from error


def _check_numbers(split: str, numbers: list[int]) -> None:
    if not isinstance(numbers, list) or not numbers or any(type(number) is not int or number < 0 for number in numbers):
        raise UserError(f"data.corpus.{split}={numbers}: must be a list of shards' numbers, at least one, as [0, 1]")
