"""In the place of what runs a coding agent: its script in this process, which is quick and walls nothing in."""

from __future__ import annotations

import contextlib
import io

from search.study.external import Ended, Program


class InThisProcess:
    """Runs `python -c SCRIPT`, as conf/coder/fake.yaml has it."""

    def __init__(self) -> None:
        self.ran: list[Program] = []

    def check(self, program: Program) -> None:
        """Anything will do."""

    def run(self, program: Program) -> Ended:
        self.ran.append(program)
        printed, code = io.StringIO(), 0
        with contextlib.chdir(program.folder), contextlib.redirect_stdout(printed):
            try:
                exec(program.words[2], {"__name__": "__main__"})
            except SystemExit as end:
                code = int(end.code or 0)
        why = next((why for line in printed.getvalue().splitlines() if (why := program.heed(line))), "")
        return Ended(code, why, printed.getvalue(), "", 0.1)
