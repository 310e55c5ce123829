"""Removes passwords from what Hydra records and prints of a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from search.config.places import resolve
from search.config.secrets import all_masked, masked


class Masks(Callback):
    """Named in conf/config.yaml; Hydra calls it once its files are written, before a study begins."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        hydra = HydraConfig.get()
        if hydra.output_subdir is not None:
            _mask(Path(hydra.runtime.output_dir) / hydra.output_subdir)
        if hydra.mode is RunMode.MULTIRUN:
            _mask(resolve(hydra.sweep.dir))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        job_return.overrides = all_masked(job_return.overrides)  # Hydra prints them where a job has failed

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        _mask(resolve(config.hydra.sweep.dir))


def _mask(folder: Path) -> None:
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if masked(text) != text:
            path.write_text(masked(text), encoding="utf-8")
