"""A Slurm cluster as a place for trials: its settings, and what they become for submitit."""

from __future__ import annotations

import importlib.util
import math
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.messages import UserError
from search.config.places import ROOT
from search.config.schema import Config, TaskConfig
from search.data.tokens import Prepared
from search.executor.place import Observe, Opened, Say
from search.executor.slurm_jobs import SlurmExecutor
from search.executor.slurm_queue import JOBS, Queue, job_name
from search.executor.trial_job import Work
from search.runner.process import sandbox
from search.study.identity import config_record, identity

if TYPE_CHECKING:
    import submitit

SPARE_MINUTES, SPARE_GB = 10, 2  # for a job, beyond what its trial may use


@dataclass
class Slurm:
    """The settings are in conf/executor/slurm.yaml."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    timeout_min: int | None = None
    cpus_per_task: int | None = None
    gpus_per_node: int | None = None
    mem_gb: float | None = None
    setup: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    retries: int = 3
    poll_seconds: float = 15.0

    def check(self, task: TaskConfig) -> None:
        """Raises UserError too where submitit is missing, or does not know a parameter."""
        if importlib.util.find_spec("submitit") is None:
            raise UserError(
                "executor=slurm: needs submitit, which is not installed.\nInstall it with pip install -e '.[slurm]'"
            )
        if shutil.which("sbatch") is None:
            raise UserError(
                "executor=slurm: there is no sbatch here, so this machine cannot submit jobs to Slurm.\n"
                "Run the command on a login node of the cluster, or use executor=local"
            )
        self._submitter(ROOT, "checked", task)

    def devices(self, task: TaskConfig) -> None:
        return None

    @contextmanager
    def open(self, config: Config, prepared: Prepared, folder: Path) -> Iterator[Opened]:
        """Raises UserError if the sandbox does not work here: the one that does is demanded of every node."""
        box = sandbox.choose(config.sandbox, config.task.device).name
        work = partial(Work, config_record(config), box, str(prepared.folder.resolve()), str(folder))

        def start(observe: Observe, say: Say) -> SlurmExecutor:
            queue = Queue(job_name(folder, identity(config)))
            queue.cancel()  # what a process that died has left there
            jobs = self._submitter(folder / JOBS, queue.name, config.task)
            return SlurmExecutor(jobs, queue, work, self.retries, self.poll_seconds, observe, say)

        yield Opened(box, _remark(config.task), start)

    def _submitter(self, folder: Path, name: str, task: TaskConfig) -> submitit.SlurmExecutor:
        """What submits jobs of that name, with submitit's files in `folder`. Raises UserError."""
        import submitit

        gpus = self.gpus_per_node if self.gpus_per_node is not None else int(task.device != "cpu")
        parameters = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "time": self.timeout_min or _minutes(task),
            "cpus_per_task": self.cpus_per_task or task.threads,
            "gpus_per_node": gpus or None,
            "mem": f"{math.ceil(1024 * (self.mem_gb or task.memory_gb + SPARE_GB))}M",
            "setup": [f"export PYTHONPATH={shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}", *self.setup],
            "use_srun": False,  # its step would have one core of the job's: since Slurm 22.05 it does not take them over
            **self.parameters,
            "job_name": name,
            # Slurm would start a job again by itself, unseen and without end.
            "additional_parameters": {**self.parameters.get("additional_parameters", {}), "no_requeue": True},
        }
        executor = submitit.SlurmExecutor(folder)
        try:
            executor.update_parameters(**parameters)
        except (TypeError, ValueError) as error:
            raise UserError(f"executor.parameters={self.parameters}: {str(error).splitlines()[0]}") from error
        return executor


def _minutes(task: TaskConfig) -> int:
    """That a job may take: each limit of the task, used up."""
    training = task.budget.seconds or task.budget.cap_seconds or 0.0
    return math.ceil((task.startup_seconds + training + 2 * task.scoring_seconds) / 60) + SPARE_MINUTES


def _remark(task: TaskConfig) -> str:
    if task.device == "cpu" or task.row_gb is None:
        return ""
    return (
        "DEVICE_BATCH_SIZE is fitted to this machine's GPUs, if it has any, and not to the nodes'; where theirs have less "
        "memory choose it with +task.constants.DEVICE_BATCH_SIZE="
    )
