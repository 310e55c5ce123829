"""A folder of shards: what is in each, whether it lies there or not, and how the missing ones come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from search.task.corpus import CorpusError
from search.task.hub import Hub, RemoteFile
from search.task.report import Report, Seldom, exclusively

PARALLEL = 4  # downloads at a time; assumed: one connection rarely fills a line, and many annoy the host
POLL_SECONDS = 1.0
# Bytes of token files for one byte of shards. Measured with 8192 tokens: 1.8, on English documentation (zstd level 3), which
# compresses better than most text and so needs more.
TOKEN_FILES = 2.0
GB = 1e9


@dataclass(frozen=True)
class Known:
    """What the host said of a shard. `changed_ns`: the fetched file's time of change; None where it was not fetched."""

    size: int  # bytes
    sha256: str
    changed_ns: int | None = None


class Shards:
    """`repository`, `mirror`: see `hub.Hub`. A small file beside the shards records what the host said of those that were
    missing once: their text is known again after they have been deleted to free the disk. A folder that nothing is missing
    from is only read.
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
        change. Asks the host about shards that have never been here. Raises CorpusError."""
        known = self._known()
        if any(name not in known for name in self._missing(names)):
            with self._alone(report):
                known = self._ask(names, report)
        return {name: self._content(name, known.get(name)) for name in names}

    def fetch(self, names: Sequence[str], report: Report) -> None:
        """Bring the missing shards. Two processes may call at once: one fetches. Raises CorpusError, OSError."""
        if not self._missing(names):
            return
        with self._alone(report):
            known = self._ask(names, report)
            files = [RemoteFile(name, known[name].size, known[name].sha256) for name in self._missing(names)]
            if files:  # else another process has fetched them meanwhile
                self._check_space(names, files)
                self._fetch(files, known, report)

    def _content(self, name: str, known: Known | None) -> str:
        path = self.path(name)
        if known is not None and not path.is_file():
            return known.sha256
        size, changed_ns = path.stat().st_size, path.stat().st_mtime_ns
        if known is not None and (size, changed_ns) == (known.size, known.changed_ns):
            return known.sha256
        return f"{size} {changed_ns}"

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.path(name).is_file()]

    def _partial(self, name: str) -> Path:
        return self.folder / f"{name}.partial"

    def _alone(self, report: Report) -> AbstractContextManager[None]:
        lock = self.folder / "fetching.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.touch()
        except OSError as error:
            raise CorpusError(
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

    def _ask(self, names: Sequence[str], report: Report) -> dict[str, Known]:
        """All that is known, after asking about missing shards of which nothing was."""
        known = self._known()
        unknown = [name for name in self._missing(names) if name not in known]
        if unknown:
            hub = self._hub(report)
            files = [hub.look(name) for name in unknown]
            known |= {file.name: Known(file.size, file.sha256) for file in files}
            self._write(known)
        return known

    def _known(self) -> dict[str, Known]:
        if not self._record.is_file():
            return {}
        try:
            return {name: Known(**facts) for name, facts in json.loads(self._record.read_text()).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise CorpusError(f"{self._record}: is damaged ({error}); remove it, and it is made anew") from error

    def _write(self, known: dict[str, Known]) -> None:
        unfinished = self._record.with_name(f"{self._record.name}.unfinished")
        unfinished.write_text(json.dumps({name: asdict(facts) for name, facts in sorted(known.items())}, indent=1))
        unfinished.replace(self._record)

    def _check_space(self, names: Sequence[str], files: Sequence[RemoteFile]) -> None:
        """The token files are taken to come onto the same disk, as they do where only `cache` is set."""
        missing = sum(file.size for file in files) - self._arrived(files)
        here = sum(self.path(name).stat().st_size for name in names if self.path(name).is_file())
        tokens = TOKEN_FILES * (here + sum(file.size for file in files))
        free = shutil.disk_usage(self.folder).free
        if free < missing + tokens:
            raise CorpusError(
                f"data.corpus.folder: {self.folder} has {free / GB:.2f} GB free, and needs {(missing + tokens) / GB:.2f} "
                f"({missing / GB:.2f} for shards, about {tokens / GB:.2f} for token files);\n"
                "free space, or set cache= to a folder on another disk; nothing was fetched"
            )

    def _fetch(self, files: Sequence[RemoteFile], known: dict[str, Known], report: Report) -> None:
        hub = self._hub(report)
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
        places = [place for file in files for place in (self.path(file.name), self._partial(file.name))]
        return sum(place.stat().st_size for place in places if place.is_file())
