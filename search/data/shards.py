"""A folder of shards: what is in each, even if it is missing, and how missing ones are downloaded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.config.files import rename_durably
from search.config.messages import UserError
from search.config.schema import GB
from search.data.progress import Say, Seldom, exclusively
from search.data.record import Known, Record

if TYPE_CHECKING:
    from search.data.hub import Hub

PARALLEL = 4  # downloads at a time; assumed: one connection rarely fills a line, and many annoy the host
# Bytes of token files for one byte of shards. Measured with 8192 tokens: 1.8, on English documentation (zstd level 3), which
# compresses better than most text and so needs more.
TOKEN_FILES = 2.0


class Shards:
    """`repository`: a data set's name on the Hugging Face hub, as `owner/name`. `mirror`: the address of another host that
    has it, or None.

    A complete folder is only read; otherwise a record is kept in it (see `record`). Raises UserError where `repository`
    or `mirror` cannot be such a thing.
    """

    def __init__(self, folder: Path, repository: str, mirror: str | None) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise UserError(f"data.corpus.repository={repository}: must be a data set's name, as owner/name")
        if mirror is not None and not re.match("https?://", mirror):
            raise UserError(f"data.corpus.mirror={mirror}: must be an address that begins with https://, or null")
        self.folder = folder
        self._repository = repository
        self._mirror = None if mirror is None else mirror.rstrip("/")
        self._record = Record(folder, repository)
        self._unfinished = folder / ".unfinished"  # a folder for what is being fetched

    def path(self, name: str) -> Path:
        return self.folder / name

    def contents(self, names: Sequence[str], say: Say) -> dict[str, str]:
        """By name, what changes when the shard may have changed: the SHA-256 of what was fetched, else size and time of
        change. Asks the host about shards that have never been here. Raises UserError."""
        with self._folder_errors():
            if self._unknown(names):
                with self._alone(say):
                    self._ask(self._unknown(names), say)  # another process may have asked meanwhile
            known = self._record.read()
            return {name: self._content(name, known.get(name)) for name in names}

    def fetch(self, names: Sequence[str], tokens: Path, say: Say) -> None:
        """Bring the missing shards, if there is room for them, and in the folder `tokens` for their token files. Two
        processes may call at once: one fetches. Raises UserError."""
        with self._folder_errors():
            if not self._missing(names):
                self._check_space(names, 0, tokens)
                return
            with self._alone(say):
                shutil.rmtree(self._unfinished, ignore_errors=True)  # left by a process that was killed
                missing = self._missing(names)  # another process may have fetched them meanwhile
                hub, files = self._ask(missing, say)
                self._check_space(names, sum(known.size for known in files.values()), tokens)
                self._fetch(hub, files, say)

    def _content(self, name: str, known: Known | None) -> str:
        path = self.path(name)
        here = (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None
        if known is not None and here in (None, (known.size, known.changed_ns)):
            return known.sha256
        return f"{path.stat().st_size} {path.stat().st_mtime_ns}"

    def _unknown(self, names: Sequence[str]) -> list[str]:
        known = self._record.read()
        return [name for name in self._missing(names) if name not in known]

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.path(name).is_file()]

    @contextmanager
    def _folder_errors(self) -> Iterator[None]:
        """Errors of this folder's disk name its own key: the token files' folder has another."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"data.corpus.folder: {self.folder} cannot be used ({error});\n"
                "fix that (if shards are missing, it must be writable and have space), or set another data.corpus.folder="
            ) from error

    def _alone(self, say: Say) -> AbstractContextManager[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return exclusively(self.folder / "fetching.lock", say)

    def _ask(self, names: Sequence[str], say: Say) -> tuple[Hub, dict[str, Known]]:
        """What the host says of these shards now, which joins what is known.

        Raises UserError if it once said something else: another text would be downloaded under the same name.
        """
        remedy = (
            "set another host with data.corpus.mirror=, put the shards into data.corpus.folder "
            f"({self.folder}), or use other text: data=files, data=python"
        )
        known = self._record.read()
        with _network_settings():
            from search.data.hub import Hub

            hub = Hub(self._repository, self._mirror, remedy, say)
            files = {name: hub.look(name) for name in names}
        for name, file in files.items():
            if not known.setdefault(name, file).same_text(file):
                raise UserError(
                    f"{self.path(name)}: {hub.host} has a different {name} now than when {self._record.path} was written;\n"
                    f"remove {self._record.path} to use the new text, put the old shard into {self.folder}, or set another "
                    "data.corpus.mirror="
                )
        self._record.write(known)
        return hub, files

    def _check_space(self, names: Sequence[str], missing: int, tokens: Path) -> None:
        """Raise UserError if a disk has too little space. `missing`: bytes that will be fetched."""
        here = sum(self.path(name).stat().st_size for name in names if self.path(name).is_file())
        expected = TOKEN_FILES * (here + missing)
        both = missing + expected if disk_of(self.folder) == disk_of(tokens) else missing
        demands = [("data.corpus.folder", self.folder, both)] if missing else []
        for key, folder, needed in [*demands, ("cache", tokens, expected)]:
            free = shutil.disk_usage(folder).free
            if free < needed:
                raise UserError(
                    f"{key}: the disk of {folder} has {free / GB:.2f} GB free, and needs {needed / GB:.2f} "
                    f"({missing / GB:.2f} GB of shards are fetched, and about {expected / GB:.2f} GB of token files made);\n"
                    f"free space, or set {key}= to a folder on another disk"
                )

    def _fetch(self, hub: Hub, files: dict[str, Known], say: Say) -> None:
        if not files:
            return
        total, so_far = sum(known.size for known in files.values()), 0
        say(f"fetching {len(files)} shards ({total / GB:.2f} GB) from {hub.host} into {self.folder}")
        progress = Seldom(say)

        def arrived(count: int) -> None:
            nonlocal so_far
            so_far += count
            speed = so_far / progress.lasted / 2**20
            progress(f"fetching: {so_far / GB:.2f} of {total / GB:.2f} GB, {speed:.1f} MB a second")

        def fetch(name: str, known: Known) -> tuple[str, Path]:
            with _network_settings(), self._folder_errors():
                return name, hub.fetch(name, known, self._unfinished, arrived)

        with ThreadPoolExecutor(PARALLEL) as pool:
            try:
                for done in as_completed([pool.submit(fetch, name, known) for name, known in files.items()]):
                    self._finish(*done.result())
            finally:  # an error, or Ctrl-C: the others end too
                hub.stop()
                pool.shutdown(cancel_futures=True)
                shutil.rmtree(self._unfinished, ignore_errors=True)
        say(f"fetched {len(files)} shards in {progress.lasted:.0f} s")

    def _finish(self, name: str, fetched: Path) -> None:
        """Recorded before it gets its name: a process may be killed in between."""
        known = self._record.read()
        known[name] = replace(known[name], changed_ns=fetched.stat().st_mtime_ns)
        self._record.write(known)
        rename_durably(fetched, self.path(name))


def disk_of(folder: Path) -> int:
    """The same number for all folders of one disk."""
    return folder.stat().st_dev


@contextmanager
def _network_settings() -> Iterator[None]:
    """The one place for what the environment makes impossible: proxies, certificates, tokens and the hub's own variables
    that cannot be used. Raises UserError, which shows no values: proxies' addresses may hold passwords."""
    import httpx2

    try:
        yield
    except (ImportError, ValueError, OSError, httpx2.InvalidURL, httpx2.TransportError) as error:
        raise UserError(
            f"data.corpus: nothing can be downloaded: the network settings do not work ({type(error).__name__});\n"
            "correct or unset the variables of the proxy (*_PROXY), of certificates (SSL_CERT_*) and of the hub (HF_*, its "
            "token), or data.corpus.mirror"
        ) from error
