"""Retrain the stock and every study's winner on seeds that no search has used, and score them on text that none has seen.

python -m search.confirm experiment=NAME repeats=5
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from omegaconf import MISSING

from search import arguments
from search.errors import UserError


@dataclass
class Tracking:
    uri: str | None = arguments.setting(None, "the MLflow database or server, where it is not that of the studies")


@dataclass
class Settings:
    experiment: str = arguments.setting(MISSING, "whose studies to confirm")
    task: str | None = arguments.setting(None, "which task, where the experiment has several")
    repeats: int | None = arguments.setting(None, "trainings of each program; 5 at first, and then never fewer than planned")
    top: int = arguments.setting(1, "best trials of each study; above 1 other seeds choose among them first")
    cache: str | None = arguments.setting(None, "folder of the prepared text, where it is not that of the studies")
    sandbox: str | None = arguments.setting(None, "auto, bubblewrap, landlock or none; as the studies' where not given")
    tracking: Tracking = field(default_factory=Tracking)


def main(settings: Settings) -> None:
    from search.confirm.run import Wish, confirm

    for name, value in (("repeats", settings.repeats), ("top", settings.top)):
        if value is not None and value < 1:
            raise UserError(f"{name}={value}: must be at least 1")
    confirm(
        Wish(
            settings.experiment,
            settings.task,
            settings.repeats,
            settings.top,
            settings.cache,
            settings.sandbox,
            settings.tracking.uri,
        )
    )


if __name__ == "__main__":
    sys.exit(arguments.run(Settings, main, __doc__, "stopped; the same command goes on"))
