"""Keeps the artifacts of a database file beside it, so that they move with it.

MLflow writes whole paths into its database: of each experiment, and of each run. If a database and its artifacts are
moved or copied together, these paths lead to the old place; here they are set to the new one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from search.tracking.store import database_file, guarded

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

FOLDER = "artifacts"  # beside the database; MLflow's experiments are folders in it


def location_of(uri: str, experiment: str) -> str | None:
    """Where a new experiment's artifacts shall lie, as an address; None for what the server chooses."""
    database = database_file(uri)
    return None if database is None else (database.parent / FOLDER / experiment).as_uri()


def local_path(location: str) -> Path | None:
    """The folder of an artifact address; None if it is on a server."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme else Path(location)


def follow(client: MlflowClient, uri: str, name: str) -> Experiment | None:
    """The experiment of that name, whose artifacts are looked for where they are now. Raises OSError, and sqlite3.Error as
    an OSError."""
    experiment, database = client.get_experiment_by_name(name), database_file(uri)
    if experiment is None or database is None:
        return experiment
    recorded, here = local_path(experiment.artifact_location), database.parent / FOLDER / name
    if recorded is None or recorded == here or (recorded.exists() and here.exists() and recorded.samefile(here)):
        return experiment
    with guarded(), closing(sqlite3.connect(database, timeout=60)) as connection:
        try:
            with connection:
                if _moved(connection, experiment, recorded, here):
                    _repoint(connection, experiment, here.as_uri())
        except sqlite3.Error as error:
            raise OSError(f"{database}: {error}") from error
    return client.get_experiment_by_name(name)


def _moved(connection: sqlite3.Connection, experiment: Experiment, recorded: Path, here: Path) -> bool:
    """Whether the experiment's artifacts are `here`, or would have been here and are lost."""
    query = "SELECT run_uuid FROM runs WHERE experiment_id = ?"
    if any((here / run).is_dir() for (run,) in connection.execute(query, (experiment.experiment_id,))):
        return True
    ours = recorded.parts[-2:] == (FOLDER, experiment.name)  # a place that somebody else chose is left alone
    return ours and not recorded.exists()


def _repoint(connection: sqlite3.Connection, experiment: Experiment, location: str) -> None:
    """Write another place into MLflow's own tables. The client knows no call for it."""
    old, number = experiment.artifact_location, experiment.experiment_id
    connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (location, number))
    connection.execute(
        "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
        "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
        (location, len(old) + 1, number, len(old) + 1, f"{old}/"),
    )
