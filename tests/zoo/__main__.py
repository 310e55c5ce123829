"""Writes the page of the zoo, `.github/docs/zoo.md`:

python -m tests.zoo
"""

from __future__ import annotations

from pathlib import Path

from search.config.places import ROOT
from tests.zoo import CHEATS, HONEST
from tests.zoo.walls import WALLS, WITHOUT_A_SWITCH

PAGE = ROOT / ".github" / "docs" / "zoo.md"
OPENING = """\
# The zoo

The zoo has {cheats} programs that cheat and {honest} unusual honest ones. Each is a `train.py` that differs in a few lines
from one plain honest program. `pytest -m zoo` trains, scores and audits them: a cheat must end without a score or with the
score that it deserves, and an honest program must get its score. "Needed" means that a test sees the cheat succeed when this
wall alone is switched off. For every wall that has a switch, this holds for at least two cheats.

"Ends" is a status, or `honest` (exactly the plain program's score), `worse` (than that), or `own` (what its weights
deserve).

`python -m tests.zoo` writes this page.
"""


def page() -> str:
    lines = [OPENING.format(cheats=len(CHEATS), honest=len(HONEST)), "## Cheats", ""]
    lines += ["| trick | wall | needed | ends | program |", "|---|---|---|---|---|"]
    for name, cheat in sorted(CHEATS.items(), key=lambda item: (item[1].wall, item[0])):
        needed = "yes" if cheat.wall in WALLS and name in WALLS[cheat.wall].cheats else ""
        ends = ", ".join(cheat.ends)
        link = f"[{name}](../../tests/zoo/cheats/{name}.py)"
        lines.append(f"| {_cell(cheat.facts['trick'])} | {cheat.wall} | {needed} | {ends} | {link} |")
    lines += ["", "Walls without a switch:", ""]
    lines += [f"- **{name}**: {why}" for name, why in WITHOUT_A_SWITCH.items()]
    lines += ["", "## Honest", "", "| what is unusual | program |", "|---|---|"]
    for name, program in sorted(HONEST.items()):
        lines.append(f"| {_cell(program.facts['unusual'])} | [{name}](../../tests/zoo/honest/{name}.py) |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "/")


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
