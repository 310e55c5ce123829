"""Texts as artifacts of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

SENT = "sent"  # a study's folder for what is on its way


def log_files(
    client: MlflowClient, run: str, texts: Mapping[str, str], study: Path, folders: Mapping[str, Path] | None = None
) -> None:
    """Log texts by their paths, and copies of whole folders by theirs. Characters that no file can hold are escaped. Raises
    what `outages` names. `study`: the folder of a study; its process alone writes there, and so what one leaves there that
    is killed is the next one's to remove."""
    place = study / SENT
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "backslashreplace"))
        client.log_artifacts(run, folder)
    for name, source in (folders or {}).items():
        if source.is_dir():
            client.log_artifacts(run, str(source), name)
