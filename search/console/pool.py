"""The pool of a multirun's workers."""

from __future__ import annotations

import os
from typing import Any

from joblib import register_parallel_backend
from joblib._parallel_backends import LokyBackend

from search.console.family import watch_parent


class Watched(LokyBackend):  # type: ignore[misc]
    """joblib's own pool, but its workers end with their parent from their first moment on. Otherwise a worker that has no
    study yet outlives a killed parent, for good if it was just being handed one."""

    def configure(self, *args: Any, **settings: Any) -> Any:
        return super().configure(*args, **settings, initializer=watch_parent, initargs=(os.getpid(),))


def watch_workers() -> None:
    """Whatever asks joblib for its usual pool gets the watched one, as Hydra's launcher does."""
    register_parallel_backend("loky", Watched)
