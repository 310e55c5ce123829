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

{cheats} programs that cheat and {honest} that are honest but look odd, each a `train.py` a few lines from one plain honest
program. `pytest -m zoo` trains, scores and audits them: a cheat ends with no score or with the one it deserves, an honest
program gets its score. "Needed" says that with this wall alone switched off the test sees the cheat get through; of every
wall that has a switch, at least two do.

Ends: a status, or `honest` (the plain program's very score), `worse` (than that), `own` (what its weights deserve).

This page is written by `python -m tests.zoo`.
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
