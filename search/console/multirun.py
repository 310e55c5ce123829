"""Hydra multirun: every study is checked before the first one starts, and those that fail are named at the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
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
from rich.console import Console

from search.config.keys import known_keys
from search.config.messages import UserError, printable
from search.config.places import resolve
from search.config.schema import Config
from search.config.secrets import masked
from search.console.explain import explain
from search.console.progress import PlainDisplay
from search.console.side_by_side import SideBySide, begin_study, ended, fair_order, in_worker, labels
from search.console.study_table import table

FAILURES = "failures.jsonl"  # in the sweep's folder: with parallel launchers the studies are other processes

AS_MANY_AS_DEVICES = -1  # of hydra.launcher.n_jobs, its default
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"  # starts the studies on other machines

_sweep: Path | None = None  # the sweep that this process has started
_side_by_side: SideBySide | None = None


class Checks(Callback):
    """Named in conf/config.yaml; Hydra calls it."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        global _sweep
        _sweep = resolve(config.hydra.sweep.dir)
        overrides = fair_order(config.hydra.overrides.task)
        try:
            studies, wrong = _checked(overrides, here=config.hydra.launcher._target_ != SLURM)
        except HydraException as error:  # of the sweep as a whole
            raise SystemExit(f"error: {explain(error, lambda: known_keys(Config), multirun=True)}") from error
        if wrong:
            # Only this leaves a Hydra callback: ordinary exceptions become warnings there.
            raise SystemExit("\n".join(["error: nothing was started, because of these studies", *wrong]))
        config.hydra.overrides.task = overrides
        launcher = config.hydra.launcher
        if launcher.get("n_jobs") == AS_MANY_AS_DEVICES:
            launcher.n_jobs = _at_once(list(studies.values()))
        if launcher.get("n_jobs", 1) > 1:
            _begin(_sweep, labels(list(studies)), launcher.n_jobs)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if in_worker():
            begin_study(Path(config.hydra.runtime.output_dir))

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
    """Name the studies of this process's multirun that failed; False if none did, or if this was not a multirun."""
    if _sweep is None or not (_sweep / FAILURES).is_file():
        return False
    failures = [json.loads(line) for line in (_sweep / FAILURES).read_text().splitlines()]
    print(f"{len(failures)} failed, the others are complete:", file=sys.stderr)
    for failure in failures:
        print(f"  {failure['name']}: {printable(failure['message'])}", file=sys.stderr)
    return True


@contextlib.contextmanager
def side_by_side() -> Iterator[None]:
    """Wraps a multirun; at its end nothing listens for its workers any more. Raises KeyboardInterrupt if it was stopped
    on request."""
    stopped = False
    try:
        yield
    finally:
        if _side_by_side is not None:
            _side_by_side.end()
            stopped = _side_by_side.stopped
            _say_results(_side_by_side.sweep)
    if stopped:
        raise KeyboardInterrupt


def _say_results(sweep: Path) -> None:
    """All studies in one table, and where to look at them."""
    rows, places = ended(sweep)
    console = Console()
    if rows:
        console.print(table(rows))
    for line in places:
        PlainDisplay(console).say(line)


def _begin(sweep: Path, labels: list[str], workers: int) -> None:
    global _side_by_side
    sweep.mkdir(parents=True, exist_ok=True)
    _side_by_side = SideBySide(sweep, labels, lambda text: print(printable(text), flush=True))
    print(f"{len(labels)} studies, {min(workers, len(labels))} at a time", flush=True)
    _side_by_side.begin()


def _at_once(studies: Sequence[Config]) -> int:
    """How many of these can run at once, each trial on a device of its own."""
    from search.console.run_study import place_of

    there = ((place_of(config).devices(config.task), config.study.parallel) for config in studies)
    return max(len(studies) if devices is None else max(1, devices // parallel) for devices, parallel in there)


def _checked(overrides: list[str], here: bool) -> tuple[dict[tuple[str, ...], Config], list[str]]:
    """The studies of a sweep by what is given for each, and a line for each of them that could not run. `here`: they are
    going to run on this machine."""
    from search.config.validate import load
    from search.console.run_study import check
    from search.study.identity import identity

    studies: dict[tuple[str, ...], Config] = {}
    wrong: list[str] = []
    seen: dict[str, str] = {}
    for combination in _combinations(overrides):
        name = ",".join(combination)
        try:
            config = load(compose("config", overrides=list(combination)))
            check(config, here)
            other = seen.setdefault(identity(config), name)
            if other != name:
                raise UserError(f"is the same study as {other}; use another experiment= for one of them")
            studies[combination] = config
        except (UserError, HydraException, OmegaConfBaseException) as error:
            wrong.append(masked(f"  {name}: {explain(error, lambda: known_keys(Config), multirun=True)}"))
    return studies, wrong


def _combinations(overrides: list[str]) -> Iterator[tuple[str, ...]]:
    """What the sweep's overrides expand to, as Hydra's own sweeper does it."""
    choices = []
    loader = GlobalHydra.instance().config_loader()  # for glob()
    for override in OverridesParser.create(loader).parse_overrides(overrides):
        key = override.get_key_element()
        if override.is_sweep_override():
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            if not choices[-1]:
                raise HydraException(f"{override.input_line}: has no such choice; --help shows the choices")
        else:
            choices.append([str(override.input_line)])
    return itertools.product(*choices)
