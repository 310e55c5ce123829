"""What the environment tells the hub's libraries, looked at before they do: what they cannot use ends in a traceback of
theirs, most often without the variable's name (seen with huggingface_hub 2.4, httpx2 2.16)."""

from __future__ import annotations

import os
import re

from search.config.messages import UserError

TIMEOUTS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def check_variables() -> None:
    """Those that huggingface_hub reads while it is imported. Raises UserError."""
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint is not None and not is_address(endpoint):
        raise UserError(f"HF_ENDPOINT={endpoint}: must be an address that begins with https://; correct or unset it")
    for name in TIMEOUTS:
        seconds = os.environ.get(name)
        if seconds is not None and not re.fullmatch("[0-9]{1,6}", seconds):
            raise UserError(f"{name}={seconds}: must be a whole number of seconds; correct or unset it")


def check_connection(token: bool | None) -> None:
    """Those that a connection is made with; after `check_variables`. `token`: as huggingface_hub takes it. Raises
    UserError, which shows no values: proxies' addresses may hold passwords."""
    import httpx2
    from huggingface_hub.utils import build_hf_headers, get_session

    try:
        get_session()
    except ImportError as error:
        remedy = "unset it, or pip install 'httpx2[socks]'"
        raise UserError(f"{_set(PROXIES)}: a SOCKS proxy needs a library that is not installed;\n{remedy}") from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise UserError(f"{_set(PROXIES)}: cannot be used as a proxy ({error}); correct or unset it") from error
    except OSError as error:
        raise UserError(f"{_set(CERTIFICATES)}: no certificates can be read ({error}); correct or unset it") from error
    try:
        build_hf_headers(token=token).get("authorization", "").encode("ascii")
    except (ValueError, OSError) as error:
        raise UserError(
            f"HF_TOKEN, or the token that `hf auth login` has saved: cannot be sent ({error}); correct or remove it"
        ) from error


def _set(names: tuple[str, ...]) -> str:
    """Those of these variables that are set, in either case; macOS has proxy settings elsewhere, too."""
    return ", ".join(sorted(name for name in os.environ if name.upper() in names)) or "the system's network settings"


def is_address(text: str) -> bool:
    """Whether it names a host that HTTP can ask."""
    import httpx2

    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
