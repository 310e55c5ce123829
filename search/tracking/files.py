"""Texts as artifacts of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def log_files(client: MlflowClient, run: str, texts: Mapping[str, str], folders: Mapping[str, Path] | None = None) -> None:
    """Log texts by their paths, and copies of whole folders by theirs. Letters that no file can hold are spelt out. Raises
    what `outages` names."""
    with tempfile.TemporaryDirectory(prefix="fairtrial-") as place:
        for name, text in texts.items():
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "backslashreplace"))
        client.log_artifacts(run, place)
    for name, folder in (folders or {}).items():
        if folder.is_dir():
            client.log_artifacts(run, str(folder), name)
