"""Checks a draft of train.py before anybody proposes it: runs `check.py` on it, behind the walls of a training process.

    python -m search.task.draft        (started by the harness, in a folder with train.py, check.py and task.json)

No text is handed over, whatever the program sends.
"""

from __future__ import annotations

import runpy
import sys

from search.task import seccomp
from search.task.confine import confine
from search.task.launch import die_with_parent
from search.task.protocol import Channel
from search.task.system_calls import Policy

if __name__ == "__main__":
    die_with_parent()
    if Channel.inherited() is None:
        sys.exit("search.task.draft is started by the harness; to check a train.py by hand, put check.py beside it")
    confine()
    seccomp.apply([Policy.SENDING])
    runpy.run_path("check.py", run_name="__main__")
