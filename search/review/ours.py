"""Puts kept programs of this harness into a folder, and makes the commands that train and confirm them here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from search.config.files import remove_tree, unwritable, write_whole
from search.config.messages import command
from search.review.again.plan import chosen
from search.review.keeps import Keep
from search.review.repository import Found, Program, file_of
from search.runner.device.gpus import listed

FOLDER = "keeps"  # beside the page: only the programs that are proposed


def commands(
    log: str, folder: Path, keeps: Sequence[Keep], programs: Sequence[Program], which: str, repeats: int
) -> list[str]:
    """Returns commands to paste one after the other: for a study of the start and the keeps, its confirmation on fresh seeds
    and unseen text, and the comparison. Empty unless the start and a chosen keep are programs of this harness. `log`: its
    name. `folder`: of the page. Raises UserError."""
    by_number = {program.number: program for program in programs if program.found is Found.OURS}
    if keeps[0].number not in by_number or len(keeps) < 2:
        return []
    mine = [by_number[keep.number] for keep in chosen(keeps, which) if keep.number in by_number]
    if not mine:
        return []
    _write(folder / FOLDER, mine)
    name = re.sub(r"[^\w.-]+", "-", f"night-{Path(log).stem}")
    start, task = folder / file_of(by_number[keeps[0].number]), "gpu" if listed("cuda") else "cpu"
    study = ("strategy=given", f"strategy.programs={folder / FOLDER}", f"start={start}", f"study.trials={len(mine) + 1}")
    each = [f"at=[{','.join(str(trial) for trial in range(2, len(mine) + 1))}]"] if len(mine) > 1 else []
    return [
        command("search", *study, f"experiment={name}", f"task={task}", "~task.constants"),  # of the start as of the keeps
        command("search.confirm", f"experiment={name}", f"repeats={repeats}", *each),
        command("search.compare", f"experiment={name}"),
    ]


def _write(folder: Path, programs: Sequence[Program]) -> None:
    try:
        remove_tree(folder)
        for program in programs:
            assert program.text is not None
            write_whole(folder / Path(file_of(program)).name, program.text.encode())
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
