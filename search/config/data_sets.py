"""Data sets by their name, for commands whose configuration has no groups: read from conf/data, as Hydra would."""

from __future__ import annotations

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from search.config.messages import UserError
from search.config.places import CONF
from search.config.schema import DataConfig, describe, typed


def data_named(name: str, cache: str, folder: str | None = None) -> DataConfig:
    """The data set of that name. `folder`: where its text lies, for one that asks for it. Raises UserError."""
    files = {path.stem: path for path in (CONF / "data").glob("*.yaml")}
    if name not in files:
        raise UserError(f"data={name}: is not a data set; choose {', '.join(sorted(files))}")
    whole = OmegaConf.create({"cache": cache, "data": OmegaConf.load(files[name])})
    if folder is not None:
        whole.data.corpus.folder = folder
    try:
        OmegaConf.resolve(whole)
        OmegaConf.to_container(whole, throw_on_missing=True)
    except OmegaConfBaseException as error:
        missing = "" if folder is not None else "; give the folder of its text as folder="
        raise UserError(f"data={name}: {describe(error)}{missing}") from error
    return typed(whole.data, DataConfig)
