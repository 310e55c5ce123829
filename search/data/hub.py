"""Files of a data set on the Hugging Face hub, or on a host that speaks its protocol: whole and checked, or not at all.

Addresses, headers, redirects and metadata are huggingface_hub's. Its own download (read in 2.4) does not do for a text that
studies are compared on: it begins anew after a kill, since each attempt writes to a file of its own, gives up on a 5xx or a
reset in mid-body, and checks the size but not the SHA-256. So bodies are streamed here, by plain HTTP with ranges: Xet, the
hub's other protocol, cannot take up a killed download either, and mirrors lack it.

The libraries are imported late: training processes may import this package, and do not have them.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from search.config.messages import UserError
from search.data.hub_settings import check_connection, check_variables, is_address
from search.data.progress import Report

if TYPE_CHECKING:
    import httpx2

WAITS: tuple[float, ...] = (1, 2, 4, 8, 16)  # seconds before the next attempts; from the first again where bytes arrived
LONGEST_WAIT = 300.0  # however long a host asks for: the hub counts requests in windows of five minutes
PASSING = (408, 429, 500, 502, 503, 504)  # answers that another attempt may not get
SHA256 = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


@dataclass(frozen=True)
class RemoteFile:
    name: str
    size: int  # bytes
    sha256: str


class Stopped(Exception):
    """Another file's failure, or the user, has ended this download; what has arrived is kept."""


class _Incomplete(Exception):
    """What arrived is not the file, or not all of it."""


class Hub:
    """`repository`: a data set's name, as `owner/name`. `mirror`: the host's address; None for the hub, or HF_ENDPOINT.

    Raises UserError where one of them cannot be such a thing, or the environment does not let one connect. `remedy`: what
    a user can do who has no network.
    """

    def __init__(self, repository: str, mirror: str | None, remedy: str, report: Report) -> None:
        check_variables()
        from huggingface_hub import constants
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        # Else each request tells what else is installed, and one more asks for a list that this is told by.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        if mirror is not None and not is_address(mirror):
            raise UserError(f"data.corpus.mirror={mirror}: must be an address that begins with https://, or null")
        try:
            validate_repo_id(repository)
            if "/" not in repository:
                raise HFValidationError
        except HFValidationError as error:
            raise UserError(f"data.corpus.repository={repository}: must be a data set's name, as owner/name") from error
        token = None if mirror is None else False  # the user's token for the hub is not for other hosts
        check_connection(token)
        self.repository = repository
        self.mirror = None if mirror is None else mirror.rstrip("/")
        self.host = self.mirror or constants.ENDPOINT
        self._token = token
        self._remedy = remedy
        self._report = report
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Running downloads, which are in other threads, end soon."""
        self._stopping.set()

    def look(self, name: str) -> RemoteFile:
        """What the host says of a file. Raises UserError."""
        from huggingface_hub import get_hf_file_metadata

        url = self._url(name)
        facts = self._patiently(name, lambda: get_hf_file_metadata(url, token=self._token, endpoint=self.mirror), lambda: 0)
        if facts.size is None or facts.etag is None or not SHA256.fullmatch(facts.etag):
            raise UserError(
                f"{url}: the host tells no size and SHA-256 of it (but {facts.size}, {facts.etag}), so that a damaged copy "
                f"could not be told from a whole one;\n{self._remedy}"
            )
        return RemoteFile(name, facts.size, facts.etag)

    def fetch(self, file: RemoteFile, partial: Path) -> None:
        """Fetch what `partial` lacks of the file. It is whole, checked and on the disk when this returns.

        Raises UserError where the host does not give it, OSError where it cannot be written, Stopped.
        """
        self._patiently(file.name, lambda: self._attempt(file, partial), lambda: size_of(partial))

    def _attempt(self, file: RemoteFile, partial: Path) -> None:
        if size_of(partial) < file.size:
            self._append(file, partial)
        arrived = size_of(partial)
        if arrived < file.size:
            raise _Incomplete(f"the body ended after {arrived:,} of {file.size:,} bytes")
        with partial.open("r+b") as written:
            os.fsync(written.fileno())  # a power failure must not leave the name without the contents
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        if digest != file.sha256:
            partial.unlink()
            raise _Incomplete("what arrived does not have the SHA-256 that the host told")

    def _append(self, file: RemoteFile, partial: Path) -> None:
        """One connection."""
        from huggingface_hub import constants
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        wanted = {"Accept-Encoding": "identity"}
        if size_of(partial):
            wanted["Range"] = f"bytes={size_of(partial)}-"
        headers = build_hf_headers(token=self._token, headers=wanted)
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", self._url(file.name), headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            with partial.open("ab" if response.status_code == 206 else "wb") as out:  # 200: the host knows no ranges
                for chunk in response.iter_bytes():
                    out.write(chunk)
                    if self._stopping.is_set():
                        raise Stopped
                    if out.tell() > file.size:
                        break

    def _patiently(self, name: str, attempt: Callable[[], T], arrived: Callable[[], int]) -> T:
        """Make attempts until one succeeds, as long as they bring new bytes and WAITS times more."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        waits, most = iter(WAITS), arrived()
        while True:
            asked = 0.0
            try:
                return attempt()
            except HfHubHTTPError as error:
                if error.response.status_code not in PASSING:
                    raise UserError(self._refusal(name, error.response.status_code)) from error
                reason, asked = f"the host answers {error.response.status_code}", _retry_after(error.response)
            except (httpx2.RequestError, _Incomplete) as error:
                reason = str(error) or type(error).__name__
            except OfflineModeIsEnabled as error:
                raise UserError(f"{self._url(name)}: HF_HUB_OFFLINE forbids it;\n{self._remedy}") from error
            if arrived() > most:
                waits, most = iter(WAITS), arrived()
            wait = next(waits, None)
            if wait is None:
                raise UserError(f"{self._url(name)}: given up after {len(WAITS) + 1} attempts ({reason});\n{self._remedy}")
            wait = max(wait, min(asked, LONGEST_WAIT))
            if self._stopping.is_set():
                raise Stopped
            self._report(f"{name}: {reason}; trying again in {wait:g} s")
            if self._stopping.wait(wait):
                raise Stopped

    def _refusal(self, name: str, status: int) -> str:
        answer = f"the host {f'has no {name}' if status == 404 else 'refuses it'} ({status})"
        if status in (401, 403):
            page = f"{self.host}/datasets/{self.repository}"
            answer += f";\nthe data set may need a token (HF_TOKEN) whose owner has accepted its terms ({page})"
            if self.mirror is not None:
                answer += ", and data.corpus.mirror= is sent no token"
        # Of a data set that does not exist, the hub says 401.
        return f"{self._url(name)}: {answer};\ncorrect data.corpus.repository or the shards' numbers, or {self._remedy}"

    def _url(self, name: str) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.repository, name, repo_type="dataset", endpoint=self.mirror)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none. One look: another thread may remove a damaged file at any time."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _retry_after(response: httpx2.Response) -> float:
    """The seconds that a host asks to wait; 0 where it asks nothing, or names a date instead."""
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0
