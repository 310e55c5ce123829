"""MLflow's own server on the loopback interface, in this process, behind a gateway that can be slow or lose answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from search.tracking import store


@dataclass
class Gateway:
    """`calls`: the paths that were asked for. `open`: while it is not set, calls wait. `loses`: whether the answer to a call
    is lost after the work was done, by its path."""

    app: Callable[..., Iterable[bytes]]
    calls: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    loses: Callable[[str], bool] = lambda path: False
    url: str = ""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.calls.append(path)
        self.open.wait()
        if not self.loses(path):
            return self.app(environ, start)
        b"".join(self.app(environ, lambda *_: lambda data: None))
        start("504 Gateway Timeout", [("Content-Type", "text/plain")])
        return [b"the gateway lost the answer"]

    def count(self, end: str) -> int:
        """How many calls were made to that path."""
        return sum(path.endswith(end) for path in self.calls)


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextmanager
def mlflow_server(folder: Path) -> Iterator[Gateway]:
    """A server whose database and artifacts lie in `folder`."""
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store.sqlite_uri(folder / "server.db"),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": (folder / "served").as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    from mlflow.server import app, handlers

    handlers._tracking_store = handlers._artifact_repo = None
    gateway = Gateway(app)
    gateway.open.set()
    server = make_server("127.0.0.1", 0, gateway, threaded=True, request_handler=Quiet)
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield gateway
    finally:
        gateway.open.set()
        server.shutdown()
        thread.join()
