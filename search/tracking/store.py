"""Reaches the MLflow server or file that studies are published to, and detects when it is out of reach."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from search.config.messages import UserError, command
from search.config.places import MLRUNS, resolve
from search.config.secrets import masked
from search.tracking.words import EXPERIMENT_DESCRIPTION, NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite"
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
SETTINGS = {  # of MLflow's, where the environment says nothing else
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read when mlflow is imported
    RETRIES: "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # it has one for every file
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for every trial
}
OLD_SCHEMA = "mlflow db upgrade"  # what MLflow advises for a database of an older version
REFUSALS = (400, 409, 413, 422)  # HTTP statuses of a request that will not be taken later either


def absolute(uri: str) -> str:
    """A tracking URI in which a relative sqlite path starts at the repository's root."""
    file = database_file(uri)
    return uri if file is None else sqlite_uri(file, uri)


def database_file(uri: str) -> Path | None:
    """The database of a tracking URI that names a file. Raises UserError if it cannot be read."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not uri.startswith(SQLITE):
        return None
    try:
        database = make_url(uri).database
    except ArgumentError as error:
        raise UserError(f"tracking.uri={uri}: is not the address of a database; give it as sqlite:///PATH") from error
    return resolve(database) if database and database != ":memory:" and not database.startswith("file:") else None


def sqlite_uri(file: Path, like: str = f"{SQLITE}://") -> str:
    """The tracking URI of a database. `like`: another one, whose settings are kept."""
    from sqlalchemy.engine import make_url

    return make_url(like).set(database=str(file)).render_as_string(hide_password=False)


def check_store(uri: str) -> None:
    """Raise UserError if nothing could be published."""
    try:
        connect(absolute(uri))
    except outages() as error:
        raise unusable(uri, error) from error


def unusable(uri: str, error: Exception) -> UserError:
    if OLD_SCHEMA in str(error):
        upgrade = command("mlflow", "db", "upgrade", masked(absolute(uri)))
        return UserError(
            f"tracking.uri={uri}: that database was made by an older MLflow.\nCopy it to a safe place, then run {upgrade}"
        )
    remedy = "start that server" if database_file(uri) is None else "check its disk's space and permissions"
    return UserError(f"tracking.uri={uri}: cannot be used ({first_line(error)}); {remedy}, or set another tracking.uri")


def connect(uri: str) -> MlflowClient:
    """A client of an MLflow server or file. Creating a new file is guarded: several at once would break each other, and
    MLflow takes a half-made one, which a kill leaves, for one of an older version."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it prints the traceback of what it raises
    with guarded():
        file = database_file(uri)
        if file is not None and not file.exists():
            new = file.with_name(f"{file.name}.new")
            new.unlink(missing_ok=True)
            MlflowClient(sqlite_uri(new, uri)).search_experiments(max_results=1)
            new.replace(file)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def guarded() -> FileLock:
    """Open for one process at a time, for what would break a database that several change at once."""
    MLRUNS.mkdir(exist_ok=True)
    return FileLock(MLRUNS / ".mlflow.lock")


@contextmanager
def sent_once() -> Iterator[None]:
    """While it is open, a call is not repeated by MLflow's client: one that makes something would make it again where its
    answer was lost. One thread at a time."""
    before = os.environ[RETRIES]
    os.environ[RETRIES] = "0"
    try:
        yield
    finally:
        os.environ[RETRIES] = before


def experiment_id(client: MlflowClient, name: str, location: str | None) -> str:
    """The id of the experiment of that name, created where it is missing. `location`: of its artifacts; None for what the
    server chooses. Raises UserError if it is deleted."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        tags = {NOTE: EXPERIMENT_DESCRIPTION}
        try:
            with sent_once():
                return client.create_experiment(name, artifact_location=location, tags=tags)
        except outages():
            experiment = client.get_experiment_by_name(name)  # another study was faster, or the answer was lost
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise UserError(f"experiment={name}: was deleted in MLflow; restore it there, or use another name")
    return str(experiment.experiment_id)


def all_runs(client: MlflowClient, experiment: str, query: str, deleted: bool = False) -> list[Any]:
    """The runs that a query finds, oldest first. `deleted`: those that were deleted too."""
    from mlflow.entities import ViewType

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    runs: list[Any] = []
    token = None
    while True:
        order = ["attributes.start_time ASC"]
        page = client.search_runs([experiment], query, view, max_results=1000, order_by=order, page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


def outages() -> tuple[type[Exception], ...]:
    """The errors that a server, a file or a disk out of reach raises through MLflow."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, RequestException, SQLAlchemyError, ImportError, OSError  # ImportError: a database's driver


def is_refusal(error: Exception) -> bool:
    """Whether MLflow received the call but will never accept its content."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.get_http_status_code() in REFUSALS  # type: ignore[no-untyped-call]


def first_line(error: Exception) -> str:
    """What went wrong, without the passwords in it."""
    if "Max retries exceeded" in str(error):
        return "no answer"
    return masked(next(iter(str(error).splitlines()), type(error).__name__))[:200]
