"""Hydra multirun: every study is checked before the first one starts, and those that fail are named at the end."""

from __future__ import annotations

import itertools
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from search.config.messages import UserError, printable
from search.config.places import resolve
from search.config.schema import Config
from search.config.secrets import masked
from search.console.explain import explain

FAILURES = "failures.jsonl"  # in the sweep's folder: with parallel launchers the studies are other processes

_sweep: Path | None = None  # the sweep that this process has started


class Checks(Callback):
    """Named in conf/config.yaml; Hydra calls it."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        global _sweep
        _sweep = resolve(config.hydra.sweep.dir)
        try:
            wrong = list(_wrong(list(config.hydra.overrides.task)))
        except HydraException as error:  # of the sweep as a whole
            raise SystemExit(f"error: {explain(error, Config, multirun=True)}") from error
        if wrong:
            # Only this leaves a Hydra callback: ordinary exceptions become warnings there.
            raise SystemExit("\n".join(["error: nothing was started, since of these studies", *wrong]))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if config.hydra.mode.name != "MULTIRUN" or job_return.status is not JobStatus.FAILED:
            return
        error = job_return._return_value
        if not isinstance(error, UserError):
            traceback.print_exception(error)
        name = masked(config.hydra.job.override_dirname)
        message = masked(" ".join(str(error).split())) or type(error).__name__
        print(f"error: {name}: {printable(message)}", file=sys.stderr)
        with (resolve(config.hydra.sweep.dir) / FAILURES).open("a") as file:
            file.write(json.dumps({"name": name, "message": message}) + "\n")


def report_failures() -> bool:
    """Name the studies of this process's multirun that failed; False where none did, or where this was no multirun."""
    if _sweep is None or not (_sweep / FAILURES).is_file():
        return False
    failures = [json.loads(line) for line in (_sweep / FAILURES).read_text().splitlines()]
    print(f"{len(failures)} failed, the others are complete:", file=sys.stderr)
    for failure in failures:
        print(f"  {failure['name']}: {printable(failure['message'])}", file=sys.stderr)
    return True


def _wrong(overrides: list[str]) -> Iterator[str]:
    """A line for each study of the sweep that could not run."""
    from search.config.validate import load
    from search.console.run_study import check
    from search.study.identity import identity

    seen: dict[str, str] = {}
    for combination in _combinations(overrides):
        name = ",".join(combination)
        try:
            config = load(compose("config", overrides=list(combination)))
            check(config)
            other = seen.setdefault(identity(config), name)
            if other != name:
                raise UserError(f"is the same study as {other}; use another experiment= for one of them")
        except (UserError, HydraException, OmegaConfBaseException) as error:
            yield masked(f"  {name}: {explain(error, Config, multirun=True)}")


def _combinations(overrides: list[str]) -> Iterator[tuple[str, ...]]:
    """What the sweep's overrides expand to, as Hydra's own sweeper does it."""
    choices = []
    loader = GlobalHydra.instance().config_loader()  # for glob()
    for override in OverridesParser.create(loader).parse_overrides(overrides):
        key = override.get_key_element()
        if override.is_sweep_override():
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            if not choices[-1]:
                raise HydraException(f"{override.input_line}: is no value at all; --help shows which there are")
        else:
            choices.append([str(override.input_line)])
    return itertools.product(*choices)
