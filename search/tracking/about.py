"""What a study's run is created with, in MLflow's own fields if it has them: name, color, user, source, text."""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from search.config.places import ROOT
from search.tracking.colours import COLOURS, NEUTRAL
from search.tracking.words import NOTE, study_description

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

LONGEST_DIGEST = 36  # letters of a data set's that MLflow takes
COMMANDS = {"study": "python -m search", "confirmation": "python -m search.confirm", "transfer": "python -m search.transfer"}


def study_tags(header: Mapping[str, Any]) -> dict[str, str]:
    strategy = header["config"]["strategy"]
    # A first color; which one a strategy has among others of its role is known when they are compared.
    colour = COLOURS[strategy["role"]][0] if header["role"] == "study" else NEUTRAL
    return {
        "kind": header["role"],
        "strategy": strategy["name"],
        "fairtrial.study": header["identity"],
        "fairtrial.task": header["task_fingerprint"],
        "sandbox": header["sandbox"],
        NOTE: study_description(header),
        "mlflow.runColor": colour,
        "mlflow.source.name": COMMANDS[header["role"]],
        "mlflow.source.type": "LOCAL",
        **origin(),
    }


def new_run(header: Mapping[str, Any]) -> dict[str, Any]:
    """The time when a study began, and the name of its run."""
    label = f"{header['strategy']}, search seed {header['config']['seed']}"
    names = {"study": label, "confirmation": "confirmation"}
    name = names.get(header["role"], f"{header['role']} to {header['config']['task']['name']}")
    return {"start_time": int(header["time"] * 1000), "run_name": name}


@cache
def origin() -> dict[str, str]:
    """Who publishes, and from which commit, where that is known; what a study's code is, its record says file by file."""
    found = {}
    with contextlib.suppress(KeyError, OSError):  # a user without a name, as in containers
        found["mlflow.user"] = getpass.getuser()
    commit = _commit()
    return {**found, **({"mlflow.source.git.commit": commit} if commit else {})}


def _commit() -> str | None:
    """The commit that is checked out, where this is a checkout of its own and not a folder in another."""
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return None  # without git
    return done.stdout.strip() if done.returncode == 0 else None


def text_input(header: Mapping[str, Any]) -> DatasetInput:
    """The text that a study trains on and is scored on, as MLflow's data set: its name, fingerprint and settings."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = header["config"]["data"]
    dataset = Dataset(
        name=data["name"],
        digest=header["task"]["text_and_tokenizer"][:LONGEST_DIGEST],
        source_type="fairtrial corpus",
        source=json.dumps(data["corpus"]),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training and validation")])
