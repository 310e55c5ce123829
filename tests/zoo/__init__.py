"""Programs that cheat and programs that are honest but unusual: complete `train.py` texts with a header of `# key: value`.

A cheat says its trick, the wall that stops it (a name in `walls.py`, or `none` where nothing has to), and how it ends: names
of statuses, and besides `honest` (completed, with exactly the score of `honest/plain.py`), `worse` (completed, with a worse
score than that) or `own` (completed, with whatever its weights deserve), separated by `|`. `settings` change the task;
`allowances.startup` is the seconds of that allowance. An honest program may say what it `needs`: `a compiler`, which takes
long, or `processes`, which Landlock lets it have none of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.config.schema import BudgetConfig, TaskConfig

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    name: str
    source: str
    facts: dict[str, str]

    @property
    def wall(self) -> str:
        return self.facts["wall"]

    @property
    def ends(self) -> list[str]:
        return self.facts["ends"].split("|")

    @property
    def body(self) -> list[str]:
        """The lines below the header that say something."""
        return [line for line in self.source.splitlines()[len(self.facts) :] if line.strip()]

    def settings(self) -> dict[str, Any]:
        """What the program wants changed in the task, by the names of the header."""
        pairs = [setting.split("=") for setting in self.facts.get("settings", "").split()]
        wanted: dict[str, Any] = {name: float(value) for name, value in pairs}
        if "budget.seconds" in wanted:
            wanted["budget"] = BudgetConfig(seconds=wanted.pop("budget.seconds"))
        return wanted

    def task(self, task: TaskConfig) -> TaskConfig:
        wanted, allowances = self.settings(), task.allowances
        seconds = wanted.pop("allowances.startup", allowances.startup.seconds)
        allowances = replace(allowances, startup=replace(allowances.startup, seconds=seconds))
        return replace(task, allowances=allowances, **wanted)


def read(path: Path) -> Program:
    source = path.read_text(encoding="utf-8")
    header = []
    for line in source.splitlines():
        if not line.startswith("# "):
            break
        header.append(line.removeprefix("# ").split(": ", 1))
    return Program(path.stem, source, dict(header))


CHEATS = {path.stem: read(path) for path in sorted((FOLDER / "cheats").glob("*.py"))}
HONEST = {path.stem: read(path) for path in sorted((FOLDER / "honest").glob("*.py"))}
PLAIN = HONEST["plain"]
