"""The experiment's multirun again, killed (-9) at random moments: the same proposals and scores come out of it.

    python -m tests.everyone.kills CALM [--kills 2] [--seed 0]      (some minutes)

CALM: the folder that `python -m tests.everyone --folder CALM` has left. Ends with 1 where a trial differs from that one's,
or something is left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from search.study.journal import FILE
from tests.conftest import Clone
from tests.everyone import studies
from tests.everyone.__main__ import clone_in, command, run_stage
from tests.everyone.cast import Cast
from tests.servers.llm import serve
from tests.soak import left_behind

Trials = dict[tuple[str, int], tuple[str, str, float | None, bool]]


def trials_of(root: Path) -> Trials:
    """By study and number: the program, or why there is none; the status, the score, and whether it was kept."""
    found: Trials = {}
    for folder in studies.folders(root):
        lines = [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]
        asked = {line["number"]: line["answer"] for line in lines if line["kind"] == "asked"}
        for line in (line for line in lines if line["kind"] == "told"):
            answer, outcome = asked[line["number"]], line["outcome"]
            what = answer.get("source") or answer["reason"]
            name = f"{folder.parent.name}/{folder.name}", line["number"]
            found[name] = what, outcome["status"], outcome["val_bpb"], line["verdict"]["kept"]
    return found


def differences(calm: Trials, struck: Trials) -> list[str]:
    """Of the studies of the control and the multirun."""
    ran = {study for study, _ in struck}
    wanted = len(studies.names()) - len(studies.ALONE)
    found = [] if len(ran) == wanted else [f"{len(ran)} of {wanted} studies: {sorted(ran)}"]
    return found + [
        f"{study}, trial {number}: {calm.get((study, number))} in calm, {struck.get((study, number))} under kills"
        for study, number in sorted(calm.keys() | struck.keys())
        if study in ran and calm.get((study, number)) != struck.get((study, number))
    ]


def strike(clone: Clone, arguments: list[str], more: int) -> None:
    """Start a command, and kill it once so many more trials are told."""
    process, until = clone.popen(*arguments), len(trials_of(clone.root)) + more
    while process.poll() is None and len(trials_of(clone.root)) < until:
        time.sleep(0.5)
    process.kill()
    process.communicate()
    print(f"{time.strftime('%H:%M:%S')} killed: {process.returncode}, {len(trials_of(clone.root))} trials told", flush=True)


def storm(clone: Clone, server: Cast, trials: int, kills: int, draw: random.Random) -> list[str]:
    """The control in calm, then the multirun. Returns what went wrong."""
    control, (multirun,), _ = studies.stages(server.url, trials)
    wrong = run_stage(clone, control)
    for _ in range(kills):
        strike(clone, multirun, draw.randint(1, 3 * trials))
    return wrong + command(clone, multirun)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calm", type=Path)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    calm = trials_of(given.calm / "repository")
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        clone = clone_in(Path(folder))
        with serve(kind=Cast) as server:
            trials = 1 + max(number for _, number in calm)
            wrong = storm(clone, server, trials, given.kills, random.Random(given.seed))
        struck = trials_of(clone.root)
        wrong += differences(calm, struck) + left_behind(clone.root, Path(folder))
    print("\n".join(wrong) or f"the kills changed none of {len(struck)} trials")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
