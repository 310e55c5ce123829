"""A command of ours whose candidates start at once.

python -m tests.warm_command NUMBER MODULE ARGUMENT...      (NUMBER: of the inherited connection of a `Warm`)
"""

from __future__ import annotations

import runpy
import socket
import sys

from tests.warm import Warm

if __name__ == "__main__":
    _, number, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    with Warm(socket.socket(fileno=int(number))).serving():
        runpy.run_module(module, run_name="__main__", alter_sys=True)
