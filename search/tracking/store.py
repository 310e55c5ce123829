"""The MLflow server or file that studies are published to: reaching it, and telling when it is out of reach."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from search.config.messages import UserError
from search.config.places import MLRUNS, resolve
from search.tracking.words import EXPERIMENT_DESCRIPTION

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"


def absolute(uri: str) -> str:
    """A tracking URI in which a relative sqlite path starts at the repository's root."""
    return SQLITE + str(resolve(uri.removeprefix(SQLITE))) if uri.startswith(SQLITE) else uri


def check_store(uri: str) -> None:
    """Raise UserError where nothing could be published."""
    try:
        connect(absolute(uri))
    except outages() as error:
        raise unusable(uri, error) from error


def unusable(uri: str, error: Exception) -> UserError:
    return UserError(
        f"tracking.uri={uri}: cannot be used ({first_line(error)}); start that server, or set another tracking.uri"
    )


def connect(uri: str) -> MlflowClient:
    """A client of an MLflow server or file. Creating a new file is guarded: several at once would break each other."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # an outage must not stop the training for minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it has one for every file
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    MLRUNS.mkdir(exist_ok=True)
    with FileLock(MLRUNS / ".mlflow.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def experiment_id(client: MlflowClient, name: str, uri: str) -> str:
    """The id of the experiment of that name, created where it is missing."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = str(MLRUNS / "artifacts" / name) if uri.startswith(SQLITE) else None
        tags = {"mlflow.note.content": EXPERIMENT_DESCRIPTION}
        try:
            return client.create_experiment(name, artifact_location=location, tags=tags)
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # another study was faster
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise UserError(f"experiment={name}: is deleted in MLflow; restore it there, or use another name")
    return str(experiment.experiment_id)


def all_runs(client: MlflowClient, experiment: str, query: str) -> list[Any]:
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], query, max_results=1000, page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


def outages() -> tuple[type[Exception], ...]:
    """What a server, a file or a disk that is out of reach raises through MLflow."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, RequestException, SQLAlchemyError, ImportError, OSError  # ImportError: a database's driver


def first_line(error: Exception) -> str:
    if "Max retries exceeded" in str(error):
        return "no answer"
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
