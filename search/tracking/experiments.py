"""Finds an existing experiment, for whoever reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.config.messages import UserError
from search.tracking.artifacts import follow
from search.tracking.store import absolute, connect, database_file, outages, unusable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


def existing(uri: str, name: str) -> tuple[MlflowClient, Experiment]:
    """A client, and the experiment of that name, whose artifacts are looked for where they are now. Raises UserError if
    there is none, or where the store cannot be read."""
    file = database_file(uri)
    if file is not None and not file.is_file():  # connecting would create an empty one
        raise UserError(f"tracking.uri={uri}: there is no such file; run a study first, or set another tracking.uri")
    try:
        client = connect(absolute(uri))
        found = follow(client, absolute(uri), name)
    except outages() as error:
        raise unusable(uri, error) from error
    if found is None:
        raise UserError(f"experiment={name}: {uri} has no experiment of that name; correct the name, or set tracking.uri=")
    return client, found
