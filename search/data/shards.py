"""A folder of shards: what is in each, whether it lies there or not, and how the missing ones come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from search.config.messages import UserError
from search.data.disk_space import GB, check_space
from search.data.hub import Hub, RemoteFile, size_of
from search.data.progress import Report, Seldom, exclusively

PARALLEL = 4  # downloads at a time; assumed: one connection rarely fills a line, and many annoy the host
POLL_SECONDS = 1.0
# Bytes of token files for one byte of shards. Measured with 8192 tokens: 1.8, on English documentation (zstd level 3), which
# compresses better than most text and so needs more.
TOKEN_FILES = 2.0


@dataclass(frozen=True)
class Known:
    """What the host said of a shard. `changed_ns`: the fetched file's time of change; None where it was not fetched."""

    size: int  # bytes
    sha256: str
    changed_ns: int | None = None


class Shards:
    """`repository`, `mirror`: see `hub.Hub`. A small file beside the shards records what the host said of those that were
    missing once: their text is known again after they have been deleted to free the disk. Its name says whose shards these
    are: a folder holds one repository's. A folder that nothing is missing from is only read, and needs no such file.
    """

    def __init__(self, folder: Path, repository: str, mirror: str | None) -> None:
        self.folder = folder
        self._repository = repository
        self._mirror = mirror
        self._record = folder / f"{repository.replace('/', '--')}.json"

    def path(self, name: str) -> Path:
        return self.folder / name

    def contents(self, names: Sequence[str], report: Report) -> dict[str, str]:
        """By name, what changes when the shard may have changed: the SHA-256 of what was fetched, else size and time of
        change. Asks the host about shards that have never been here. Raises UserError."""
        with self._folder_errors():
            known = self._known()
            if self._unknown(names, known):
                with self._alone(report):
                    known = self._known()
                    unknown = self._unknown(names, known)
                    if unknown:  # else another process has asked meanwhile
                        self._ask(self._hub(report), unknown, known)
            return {name: self._content(name, known.get(name)) for name in names}

    def fetch(self, names: Sequence[str], tokens: Path, report: Report) -> None:
        """Bring the missing shards, if there is room for them, and in the folder `tokens` for their token files. Two
        processes may call at once: one fetches. Raises UserError."""
        with self._folder_errors():
            if self._missing(names):
                with self._alone(report):
                    self._bring(names, tokens, report)
            else:
                self._check_space(names, [], tokens)

    def _bring(self, names: Sequence[str], tokens: Path, report: Report) -> None:
        missing = self._missing(names)
        if not missing:  # another process has fetched them meanwhile
            self._check_space(names, [], tokens)
            return
        known, hub = self._known(), self._hub(report)
        files = self._ask(hub, missing, known)
        self._check_space(names, files, tokens)
        self._fetch(hub, files, known, report)

    def _content(self, name: str, known: Known | None) -> str:
        path = self.path(name)
        if known is not None and not path.is_file():
            return known.sha256
        size, changed_ns = path.stat().st_size, path.stat().st_mtime_ns
        if known is not None and (size, changed_ns) == (known.size, known.changed_ns):
            return known.sha256
        return f"{size} {changed_ns}"

    def _unknown(self, names: Sequence[str], known: dict[str, Known]) -> list[str]:
        return [name for name in self._missing(names) if name not in known]

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.path(name).is_file()]

    def _partial(self, name: str) -> Path:
        return self.folder / f"{name}.partial"

    @contextmanager
    def _folder_errors(self) -> Iterator[None]:
        """What this folder's disk refuses is told with its own key: the token files' folder has another."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"data.corpus.folder: {self.folder} cannot be used ({error});\n"
                "mend that (free space, if the disk is full), or set another data.corpus.folder="
            ) from error

    def _alone(self, report: Report) -> AbstractContextManager[None]:
        lock = self.folder / "fetching.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.touch()
        except OSError as error:
            raise UserError(
                f"data.corpus.folder: {self.folder} lacks shards, and cannot be written to ({error.strerror});\n"
                "name a folder that holds them all, or one that they can be fetched into"
            ) from error
        return exclusively(lock, report)

    def _hub(self, report: Report) -> Hub:
        remedy = (
            "set another host with data.corpus.mirror=, put the shards into data.corpus.folder "
            f"({self.folder}), or take other text: data=files, data=python"
        )
        return Hub(self._repository, self._mirror, remedy, report)

    def _ask(self, hub: Hub, names: Sequence[str], known: dict[str, Known]) -> list[RemoteFile]:
        """What the host says of these shards now, which joins what is known.

        Raises UserError where it once said something else: it would be fetched under the name of another text.
        """
        files = [hub.look(name) for name in names]
        for file in files:
            before = known.setdefault(file.name, Known(file.size, file.sha256))
            if (before.size, before.sha256) != (file.size, file.sha256):
                raise UserError(
                    f"{self.path(file.name)}: {hub.host} has another {file.name} now than when {self._record} was written;\n"
                    f"remove {self._record} to take the new text, put the old shard into {self.folder}, or set another "
                    "data.corpus.mirror="
                )
        self._write(known)
        return files

    def _known(self) -> dict[str, Known]:
        """What the record says. Raises UserError where there is another repository's: names of shards are much alike."""
        for record in self.folder.glob("*--*.json"):
            if record != self._record:
                raise UserError(
                    f"data.corpus.repository={self._repository}: {self.folder} has another's shards ({record.name});\n"
                    "set data.corpus.folder= to another folder, or correct data.corpus.repository"
                )
        if not self._record.is_file():
            return {}
        try:
            return {name: Known(**facts) for name, facts in json.loads(self._record.read_text()).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{self._record}: is damaged ({error}); remove it, and it is made anew") from error

    def _write(self, known: dict[str, Known]) -> None:
        unfinished = self._record.with_name(f"{self._record.name}.unfinished")
        unfinished.write_text(json.dumps({name: asdict(facts) for name, facts in sorted(known.items())}, indent=1))
        unfinished.replace(self._record)

    def _check_space(self, names: Sequence[str], files: Sequence[RemoteFile], tokens: Path) -> None:
        """`files`: those of the shards that are missing."""
        whole = sum(file.size for file in files)
        here = sum(size_of(self.path(name)) for name in names)
        check_space(self.folder, whole - self._arrived(files), tokens, TOKEN_FILES * (here + whole))

    def _fetch(self, hub: Hub, files: Sequence[RemoteFile], known: dict[str, Known], report: Report) -> None:
        total, before = sum(file.size for file in files), self._arrived(files)
        report(f"fetching {len(files)} shards ({total / GB:.2f} GB) from {hub.host} into {self.folder}")
        progress = Seldom(report)
        with ThreadPoolExecutor(PARALLEL) as pool:
            running = {pool.submit(hub.fetch, file, self._partial(file.name)): file for file in files}
            try:
                while running:
                    for done in wait(running, POLL_SECONDS, FIRST_COMPLETED).done:
                        file = running.pop(done)
                        done.result()
                        self._finish(file, known)
                    now = self._arrived(files)
                    speed = (now - before) / progress.lasted / 1e6
                    progress(f"fetching: {now / GB:.2f} of {total / GB:.2f} GB ({now / total:.0%}), {speed:.1f} MB a second")
            finally:  # an error, or Ctrl-C: the others end too, and what they have stays for the next time
                hub.stop()
                pool.shutdown(cancel_futures=True)
        report(f"fetched {len(files)} shards in {progress.lasted:.0f} s")

    def _finish(self, file: RemoteFile, known: dict[str, Known]) -> None:
        """Recorded before it gets its name: a process may be killed in between."""
        partial = self._partial(file.name)
        known[file.name] = replace(known[file.name], changed_ns=partial.stat().st_mtime_ns)
        self._write(known)
        partial.replace(self.path(file.name))

    def _arrived(self, files: Sequence[RemoteFile]) -> int:
        """Bytes of these files that are here."""
        return sum(size_of(self.path(file.name)) + size_of(self._partial(file.name)) for file in files)
