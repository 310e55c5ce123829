"""Retrain the stock and every study's winner on seeds that no study has used, and score them on text that none has seen.

python -m search.confirm experiment=NAME repeats=5
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omegaconf import MISSING

from search.config.messages import UserError
from search.console import arguments

if TYPE_CHECKING:
    from rich.table import Table

    from search.study.journal import Entry


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
    from rich.console import Console

    from search.confirm.run import Wish, open_confirmation
    from search.console.conduct import conduct, finish, say_where
    from search.console.progress import PlainDisplay

    for name, value in (("repeats", settings.repeats), ("top", settings.top)):
        if value is not None and value < 1:
            raise UserError(f"{name}={value}: must be at least 1")
    wish = Wish(
        settings.experiment,
        settings.task,
        settings.repeats,
        settings.top,
        settings.cache,
        settings.sandbox,
        settings.tracking.uri,
    )
    console = Console()
    plain = PlainDisplay(console)
    with open_confirmation(wish, plain.say) as confirmation:
        journal, publisher = confirmation.journal, confirmation.publisher
        for stage in confirmation.stages():
            stopped = conduct(journal, publisher, console, stage.trials, stage.make, summary)
            if stopped:
                break
        say_where(plain, publisher)
        plain.say(f"compare: python -m search.compare experiment={wish.experiment}")
    finish(stopped, publisher, confirmation.config.tracking.uri, journal.folder)


def summary(entries: Sequence[Entry]) -> Table:
    """The means of the reported repeats, by arm. What they show is for `search.compare` to say."""
    from rich.markup import escape
    from rich.table import Table

    from search.confirm.run import reported

    table = Table(title="confirmation: means (val_bpb: validation, confirmation_bpb: unseen text)", title_justify="left")
    for column in ("program", "repeats", "val_bpb", "confirmation_bpb"):
        table.add_column(column, justify="left" if column == "program" else "right")
    for arm, trials in reported(entries).items():
        seen = statistics.mean(trial.outcome.val_bpb or 0.0 for trial in trials)
        unseen = statistics.mean(trial.outcome.confirmation_bpb or 0.0 for trial in trials)
        table.add_row(escape(arm), str(len(trials)), f"{seen:.4f}", f"{unseen:.4f}")
    return table


if __name__ == "__main__":
    sys.exit(arguments.run(Settings, main, __doc__, "stopped; the same command goes on"))
