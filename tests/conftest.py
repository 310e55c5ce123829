"""What all tests share: a copy of the repository to run commands in, and token files that are prepared once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, settings

from search.config.places import CONF, ROOT
from search.config.schema import Config
from search.config.validate import load
from search.data.tokens import Prepared, prepare_data
from search.tracking import store
from tests.sandboxes import WARM_BOX
from tests.warm import Warm, warm_server

os.environ["OMP_NUM_THREADS"] = "1"  # workers share the cores, and threads that wait for each other would spin on them

# Shared machines stall now and then; that is no property of the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

SLOWEST = ("test_demo.py", "test_commands.py", "test_confirm.py", "test_truth.py")  # whole studies, and many of them
COPIED = ("conf", "search", "baselines", "train.py", "program.md", "pyproject.toml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, or one worker would wait for it at the end."""
    items.sort(key=lambda item: item.path.name not in SLOWEST)


@pytest.fixture(scope="session", autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Caches and leases of these tests' own, so that they neither use nor leave anything of the user's. All workers of a
    parallel run share them: two must not pin one core."""
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if parallel else base
    os.environ["FAIRTRIAL_CACHE"] = str(shared / "cache")
    os.environ["FAIRTRIAL_LEASES"] = str(shared / "leases")


@pytest.fixture(scope="session")
def warm(machine: None) -> Iterator[Warm]:
    """Starts candidates' processes without their imports, for tests that are about something else."""
    with warm_server(ROOT) as started:
        yield started


@dataclass
class Clone:
    """A copy of the repository, with its own mlruns/. `warm`: starts the processes of its candidates at once."""

    root: Path
    warm: Warm | None = None

    def popen(self, *arguments: str, module: str = "search", cold: bool = False) -> subprocess.Popen[str]:
        """A command. `cold`: its candidates start as a user's do."""
        connection = None if cold or self.warm is None else self.warm.connection.fileno()
        warmly = [] if connection is None else ["tests.warm_command", str(connection)]
        path = str(self.root) if connection is None else f"{self.root}:{ROOT}"
        return subprocess.Popen(
            [sys.executable, "-m", *warmly, module, *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
            pass_fds=[] if connection is None else [connection],
        )

    def run(self, *arguments: str, module: str = "search", timeout: float = 240) -> subprocess.CompletedProcess[str]:
        process = self.popen(*arguments, module=module)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            pytest.fail(f"{arguments} took more than {timeout} s:\n{output}")
        return subprocess.CompletedProcess(arguments, process.returncode, output)

    def study(self, identity: str) -> Path:
        return self.root / "mlruns" / "studies" / identity


def copy_repository(root: Path) -> None:
    """All that its commands need, into a new folder."""
    root.mkdir()
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, root / name, symlinks=True)  # with the compiled files, or each would be compiled again
        elif path.is_file():
            shutil.copy(path, root / name)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    root = tmp_path / "clone"
    copy_repository(root)
    return Clone(root)


@pytest.fixture(scope="session")
def mlflow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's file as it begins: making one takes a second, and copying it none."""
    folder = tmp_path_factory.mktemp("mlruns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "MLRUNS", folder)
        store.connect(store.sqlite_uri(folder / "mlflow.db"))
    return folder / "mlflow.db"


@pytest.fixture
def quick_clone(clone: Clone, warm: Warm, mlflow_file: Path) -> Clone:
    """The same, where candidates start at once: for promises that are not about how they start."""
    config = clone.root / "conf" / "config.yaml"
    config.write_text(re.sub(r"(?m)^sandbox: \w+", f"sandbox: {WARM_BOX}", config.read_text()))
    (clone.root / "mlruns").mkdir()
    shutil.copy(mlflow_file, clone.root / "mlruns" / "mlflow.db")
    return replace(clone, warm=warm)


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    """Compose a configuration as the command line does."""

    def compose_config(*overrides: str) -> Config:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return load(compose("config", overrides=list(overrides)))

    return compose_config


@pytest.fixture(scope="session")
def smoke(configure: Callable[..., Config], machine: None) -> tuple[Config, Prepared]:
    """The smallest task, and its text."""
    config = configure("task=smoke")
    return config, prepare_data(config, lambda text: None)
