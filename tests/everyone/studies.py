"""Which studies the experiment has, as the commands that a user would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search.config.places import CONF
from search.confirm.studies import CONFIRMATION

EXPERIMENT = "everyone"
TASK = "smoke"
CONTROL = "seeds"  # first and alone, so that all others hear of the same noise floor
# Of strategies that are more than their name, or need another study. All other files of conf/strategy run as they are.
FURTHER = {
    "agent": [
        ["strategy=agent", "strategy.tune=0.5"],
        ["strategy=agent", "strategy.of=optuna-tpe"],
        ["strategy=agent", "llm=playbook"],
    ],
    "given": [["strategy=given", f"strategy.programs=mlruns/studies/{EXPERIMENT}/{TASK}/agent-test/0/sources"]],
    "planner": [["strategy=planner", "strategy.reads=[agent-test]"]],
    "retune": [["strategy=retune", "strategy.of=agent-test"]],
}
READERS = ("planner", "retune")
ALONE = (*READERS, "given")  # that run in no form but those


def names() -> list[str]:
    """Every strategy that has a file."""
    return sorted(path.stem for path in (CONF / "strategy").glob("*.yaml"))


def settings(trials: int) -> list[str]:
    """What all studies are given."""
    return [f"task={TASK}", "coder=fake", f"study.trials={trials}", f"experiment={EXPERIMENT}"]


def llm(url: str) -> list[str]:
    """The server that plays the LLMs, at prices of a model of today."""
    prices = ["llm.price.input=3.0", "llm.price.cached=0.3", "llm.price.output=15.0"]
    return ["llm=local", f"llm.base_url={url}", "llm.model=test", *prices]


def stages(url: str, trials: int) -> list[list[list[str]]]:
    """Arguments of `python -m search`, in stages; commands of one stage may run side by side. `url`: of the LLMs' server."""
    common, server = settings(trials), llm(url)
    plain = [name for name in names() if name not in (CONTROL, *ALONE)]
    further = [command for commands in FURTHER.values() for command in commands]
    return [
        [[f"strategy={CONTROL}", *common]],
        [["-m", f"strategy={','.join(plain)}", *common, *server]],
        [[*command, *common, *([] if "llm=playbook" in command else server)] for command in further],
    ]


def count() -> int:
    """How many studies that makes."""
    return len(names()) - len(ALONE) + sum(map(len, FURTHER.values()))


def folders(root: Path) -> Sequence[Path]:
    """Of the studies in a copy of the repository."""
    found = (root / "mlruns" / "studies" / EXPERIMENT / TASK).glob("*/*")
    return sorted(folder for folder in found if folder.parent.name != CONFIRMATION)
