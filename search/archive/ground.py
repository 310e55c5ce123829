"""The settings with which an archive's trials are trained again: its task's facts, and this machine's limits, text and
data sets.

An archive could name any class as its data set, and any limit. Of its settings only what its task's fingerprint covers is
taken; the rest is what this copy of the program has under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from search.archive.unpack import Archive
from search.config.commands import VerifyConfig
from search.config.data_sets import data_named
from search.config.messages import UserError
from search.config.places import CONF
from search.config.schema import Config, TaskConfig, typed
from search.confirm.studies import CHANGED
from search.data.tokens import Prepared, prepare_data
from search.runner.trial_runner import check_task

FACTS = ("device", "threads", "vram_gb", "sequence_length", "vocab_size", "packing", "budget", "scoring_rows")
COUNTS = ("threads", "sequence_length", "vocab_size", "scoring_rows")
LARGEST_VOCABULARY = 2**16  # token files hold 16 bits for each


@dataclass(frozen=True)
class Here:
    config: Config
    prepared: Prepared


def ground(archive: Archive, asked: VerifyConfig, say: Callable[[str], None]) -> Here:
    """Raises UserError if this machine lacks the task, the text or the device."""
    header = archive.header
    name = str(header["config"]["task"]["name"]).partition(CHANGED)[0]
    files = {path.stem: path for path in (CONF / "task").glob("*.yaml")}
    if name not in files:
        raise UserError(f"task={name}: is not in conf/task here, so its limits are not known; add that file")
    settings = OmegaConf.to_container(OmegaConf.load(files[name]))
    assert isinstance(settings, dict)
    limits = {str(key): value for key, value in settings.items() if key != "defaults"}
    task = typed(OmegaConf.create({**limits, **_facts(header["task"])}), TaskConfig)
    check_task(task)
    data = data_named(str(header["config"]["data"]["name"]), asked.cache, asked.folder)
    config = Config(cache=asked.cache, sandbox=asked.sandbox, task=task, data=data)
    wanted = str(header["task"]["text_and_tokenizer"])
    prepared = prepare_data(config, say, wanted)
    if prepared.fingerprint != wanted:
        raise UserError(
            f"data={data.name}: this machine's text or tokenizer is not the archive's ({prepared.fingerprint[:12]} against "
            f"{wanted[:12]}), so scores cannot be compared.\nInstall the versions of the packages that it was made "
            "with, give folder= of its text, or take cache= from that machine"
        )
    return Here(config, prepared)


def _facts(task: Mapping[str, Any]) -> dict[str, Any]:
    """What the fingerprint covers, as settings. Raises UserError for what no task can have."""
    facts = {key: task[key] for key in FACTS if key in task}
    amounts = [facts.get(key) for key in COUNTS]
    amounts += [value for value in dict(facts.get("budget") or {}).values() if value is not None]
    right = all(isinstance(value, int | float) and value > 0 for value in amounts)
    if not right or facts["vocab_size"] > LARGEST_VOCABULARY:
        raise UserError("the archive's task has an impossible number; none of its trials is trained here")
    return facts
