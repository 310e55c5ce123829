"""Every strategy there is in one experiment, confirmed and compared, with a server on loopback that plays the LLMs.

    python -m tests.everyone [--trials 7] [--repeats 3] [--folder DIR]      (some ten minutes)

Real training runs on smoke, by the commands that a user would give, in a copy of the repository. A new file in
conf/strategy takes part by itself; where its LLM is asked what nobody plays yet, that is said. Prints what the comparison
prints; ends with 1 where a study is incomplete, a strategy is missing, one that read another is called independent, a cost
is not on record, or something is left behind. The folder is kept, to read the report in it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.conftest import Clone, copy_repository
from tests.everyone import studies
from tests.everyone.cast import Cast
from tests.everyone.promises import broken, report_folder
from tests.servers.llm import serve
from tests.soak import left_behind

AT_ONCE = 2  # commands, and so devices of a small machine


def command(clone: Clone, arguments: list[str], module: str = "search") -> tuple[str, list[str]]:
    """What a command says, and what is wrong with how it ended."""
    process = clone.popen(*arguments, module=module)
    output, _ = process.communicate()
    words = " ".join(["python", "-m", module, *arguments])
    print(f"{time.strftime('%H:%M:%S')} {words}: {process.returncode}", flush=True)
    fine = process.returncode == 0 and "Traceback" not in output
    return output, [] if fine else [f"{words}: exit code {process.returncode}\n{output}"]


def run_stage(clone: Clone, stage: list[list[str]]) -> list[str]:
    """Commands side by side. Returns what went wrong."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [line for _, lines in pool.map(partial(command, clone), stage) for line in lines]


def run(clone: Clone, server: Cast, trials: int, repeats: int) -> list[str]:
    """The whole experiment. Returns what went wrong."""
    wrong = [line for stage in studies.stages(server.url, trials) for line in run_stage(clone, stage)]
    name = f"experiment={studies.EXPERIMENT}"
    for module, arguments in (("search.confirm", [name, f"repeats={repeats}"]), ("search.compare", [name])):
        output, lines = command(clone, arguments, module)
        wrong += lines
    print(output)
    return wrong


def clone_in(base: Path) -> Clone:
    """A copy of the repository in a folder that is there and empty, with leases and temporary files beside it."""
    (base / "tmp").mkdir()
    os.environ |= {"FAIRTRIAL_LEASES": str(base / "leases"), "TMPDIR": str(base / "tmp")}
    copy_repository(base / "repository")
    return Clone(base / "repository")


def everyone(base: Path, trials: int, repeats: int) -> list[str]:
    """In a folder that is there and empty. Returns what is wrong."""
    clone = clone_in(base)
    with serve(kind=Cast) as server:
        wrong = run(clone, server, trials, repeats)
        if (report_folder(clone.root) / "report.json").is_file():
            wrong += broken(clone.root, server, trials)
    print(f"replies: {dict(server.replies)}\nreport: {report_folder(clone.root) / 'report.html'}")
    return wrong + left_behind(clone.root, base)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="an empty folder; by default a new temporary one")
    given = parser.parse_args()
    wrong = everyone(given.folder or Path(tempfile.mkdtemp(prefix="everyone-")), given.trials, given.repeats)
    print("\n".join(wrong) or "everyone took part, and all of it is on record")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
