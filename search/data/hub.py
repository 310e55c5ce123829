"""Files of a data set on the Hugging Face hub, or on a host that speaks its protocol: whole and checked, or not at all.

huggingface_hub fetches them. What it lacks (read in 2.4) is added here: it does not check the SHA-256, gives up on a
5xx answer or a reset connection, and silently waits as long as a host asks. Its second protocol, Xet, is turned off:
mirrors lack it, and it cannot be stopped.

`shards` alone imports this module, and late: huggingface_hub reads the environment while it is imported, and may fail.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import disable_progress_bars, hf_raise_for_status, tqdm
from huggingface_hub.utils._http import default_client_factory

from search.config.files import sha256
from search.config.messages import UserError
from search.data.progress import Say
from search.data.record import Known

WAITS: tuple[float, ...] = (1, 2, 4, 8, 16)  # seconds before the next attempts
LONGEST_WAIT = 300.0  # however long a host asks for: the hub counts requests in windows of five minutes
PASSING = (408, 429, 500, 502, 503, 504)  # answers that another attempt may not get
constants.HF_HUB_DISABLE_TELEMETRY = True  # else each request tells what else is installed
constants.HF_HUB_DISABLE_XET = True
disable_progress_bars()

T = TypeVar("T")


class Stopped(Exception):
    """Another file's failure, or the user, has ended this download."""


class _Incomplete(Exception):
    """What arrived is not all of the file."""


class Hub:
    """`repository`, `mirror`: see `Shards`. `remedy`: what a user can do who has no network."""

    def __init__(self, repository: str, mirror: str | None, remedy: str, say: Say) -> None:
        self.repository, self.mirror = repository, mirror
        self.host = mirror or constants.ENDPOINT
        self._token = None if mirror is None else False  # the user's token for the hub is not for other hosts
        self._remedy = remedy
        self._say = say
        self._stopping = threading.Event()
        set_client_factory(self._client)

    def stop(self) -> None:
        """Running downloads, which are in other threads, end soon."""
        self._stopping.set()

    def look(self, name: str) -> Known:
        """What the host reports about a file. Raises UserError."""
        url = self._url(name)
        facts = self._patiently(name, lambda: get_hf_file_metadata(url, token=self._token, endpoint=self.mirror))
        if facts.size is None or facts.commit_hash is None or not re.fullmatch(r"[0-9a-f]{64}", facts.etag or ""):
            raise UserError(
                f"{url}: the host does not report its size, SHA-256 and commit, so a damaged copy could not be "
                f"detected;\n{self._remedy}"
            )
        return Known(facts.size, str(facts.etag))

    def fetch(self, name: str, known: Known, folder: Path, arrived: Callable[[int], None]) -> Path:
        """Download a file into a folder, where it is whole and checked when this returns. `arrived` is called with
        numbers of bytes.

        Raises UserError if the host does not give it, OSError where it cannot be written, Stopped.
        """
        for _ in range(2):
            path = self._patiently(name, lambda: self._download(name, folder, arrived))
            if sha256(path) == known.sha256:
                return path
            path.unlink()
            self._say(f"{name}: the download does not have the SHA-256 that the host reported")
        raise UserError(f"{self._url(name)}: twice did not have the SHA-256 that the host reported;\n{self._remedy}")

    def _download(self, name: str, folder: Path, arrived: Callable[[int], None]) -> Path:
        stopping = self._stopping

        class Bar(tqdm):
            def update(self, n: float | None = 1) -> None:
                if stopping.is_set():
                    raise Stopped
                arrived(int(n or 0))

        try:
            path = hf_hub_download(
                self.repository,
                name,
                repo_type="dataset",
                local_dir=folder,
                endpoint=self.mirror,
                token=self._token,
                tqdm_class=Bar,
            )
        except LocalEntryNotFoundError as error:  # what the library makes of any failure to ask about the file
            raise error.__cause__ or error from None
        except HfHubHTTPError:
            raise
        except OSError as error:
            if error.errno is not None:
                raise
            raise _Incomplete("the body does not have the length that the host reported") from error
        return Path(path)

    def _patiently(self, name: str, attempt: Callable[[], T]) -> T:
        """Make attempts until one succeeds, with growing pauses. Raises UserError after the last, Stopped."""
        reason, asked = "", 0.0
        for wait in (0.0, *WAITS):
            if reason:
                wait = max(wait, min(asked, LONGEST_WAIT))
                self._say(f"{name}: {reason}; trying again in {wait:g} s")
            if self._stopping.wait(wait):
                raise Stopped
            try:
                return attempt()
            except OfflineModeIsEnabled as error:
                raise UserError(f"{self._url(name)}: HF_HUB_OFFLINE forbids it;\n{self._remedy}") from error
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status not in PASSING:
                    raise UserError(self._refusal(name, status)) from error
                header = error.response.headers.get("Retry-After", "")  # a number of seconds, or a date
                reason, asked = f"the host answers {status}", float(header) if header.isdigit() else 0.0
            except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError):
                raise  # nothing was asked: another attempt would not be either
            except (httpx2.RequestError, _Incomplete) as error:
                reason, asked = str(error) or type(error).__name__, 0.0
        raise UserError(f"{self._url(name)}: given up after {len(WAITS) + 1} attempts ({reason});\n{self._remedy}")

    def _refusal(self, name: str, status: int) -> str:
        answer = f"the host {f'has no {name}' if status == 404 else 'refuses it'} ({status})"
        if status in (401, 403):
            page = f"{self.host}/datasets/{self.repository}"
            answer += f";\nthe data set may need a token (HF_TOKEN) whose owner has accepted its terms ({page})"
            if self.mirror is not None:
                answer += ", and no token is sent to data.corpus.mirror="
        # Of a data set that does not exist, the hub says 401.
        return f"{self._url(name)}: {answer};\ncorrect data.corpus.repository or the shards' numbers, or {self._remedy}"

    def _url(self, name: str) -> str:
        return hf_hub_url(self.repository, name, repo_type="dataset", endpoint=self.mirror)

    def _client(self) -> httpx2.Client:
        """The library's own, whose waits are left to `_patiently`: announced, bounded, and ended by `stop`."""
        client = default_client_factory()
        asking = [*client.event_hooks["request"], self._check_stop]
        client.event_hooks = {"request": asking, "response": [_raise_at_once]}
        return client

    def _check_stop(self, request: httpx2.Request) -> None:
        if self._stopping.is_set():
            raise Stopped


def _raise_at_once(response: httpx2.Response) -> None:
    """Raise HfHubHTTPError where the library would itself wait and ask again."""
    if response.status_code in PASSING:
        response.read()
        hf_raise_for_status(response)
