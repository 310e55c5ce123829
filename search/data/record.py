"""Keeps what is known about the shards of a folder in a small file beside them, which stays when they are deleted to
free space."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from search.config.files import write_whole
from search.config.messages import UserError


@dataclass(frozen=True)
class Known:
    """What the host said of a shard. `changed_ns`: the fetched file's time of change; None if it was not fetched."""

    size: int  # bytes
    sha256: str
    changed_ns: int | None = None

    def same_text(self, other: Known) -> bool:
        return (self.size, self.sha256) == (other.size, other.sha256)


class Record:
    """The file's name says whose shards these are: a folder holds one repository's, since names of shards are much alike."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.path = folder / f"{repository.replace('/', '--')}.json"
        self._repository = repository

    def read(self) -> dict[str, Known]:
        """What is known, by the shards' names. Raises UserError if the folder has another repository's record."""
        for other in self.path.parent.glob("*--*.json"):
            if other != self.path:
                raise UserError(
                    f"data.corpus.repository={self._repository}: {other.parent} holds shards of "
                    f"another data set ({other.name});\n"
                    "set data.corpus.folder= to another folder, or correct data.corpus.repository"
                )
        if not self.path.is_file():
            return {}
        try:
            return {name: Known(**facts) for name, facts in json.loads(self.path.read_text()).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{self.path}: is damaged ({error}); remove it, and it is written again") from error

    def write(self, known: dict[str, Known]) -> None:
        """Replace what is known. Raises OSError."""
        record = {name: asdict(facts) for name, facts in sorted(known.items())}
        write_whole(self.path, json.dumps(record, indent=1).encode())
