"""Makes the runner that a study of this machine is given: trials run here, one after the other."""

from __future__ import annotations

from pathlib import Path

from search.config.messages import UserError
from search.config.places import ROOT, STUDIES
from search.config.schema import Config
from search.data.tokens import Prepared
from search.runner.process import lookups, sandbox
from search.runner.trial_runner import TrialRunner


def make_runner(config: Config, prepared: Prepared, folder: Path, confirming: bool = False) -> TrialRunner:
    """A runner that keeps its files in `folder`. It scores validation, and the confirmation split only where it is
    `confirming`. Raises UserError where the text is too short or cannot be read, or where the sandbox or the kernel does
    not do."""
    lookups.check_works()
    confines = sandbox.choose(config.sandbox, config.task.device)
    if confines.name != sandbox.Unprotected.name:
        sandbox.check_hidden([ROOT, STUDIES, folder, prepared.folder, Path("~").expanduser()])
    try:
        return TrialRunner(config.task, prepared, folder / "work", folder / "stock_nats.npy", confines, confirming)
    except ValueError as error:
        raise UserError(f"task.scoring_rows={config.task.scoring_rows}: {error}; use more text or fewer rows") from error
    except OSError as error:
        raise UserError(f"the prepared text in {prepared.folder} cannot be used: {error}") from error
