"""Moves numbers that the kernel hands out on by a random amount, before a process that must not read in them what an earlier
one did. Each core hands out the numbers of pipes and sockets, and those of files in memory, from a store of its own. A
process sees the number of what it makes, so it could count either up to a chosen place in the store.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Collection

from search.config.places import usable_cores
from search.runner.device.pinning import on_cores

STORE = 1024  # LAST_INO_BATCH in fs/inode.c of Linux, SHMEM_INO_BATCH in mm/shmem.c


def scatter(cores: Collection[int]) -> None:
    """Do so on these cores; on all if none are given. Takes about 10 ms per core. Does nothing except on Linux."""
    if sys.platform != "linux":
        return
    for core in cores or usable_cores():
        with on_cores([core]):
            for _ in range(secrets.randbelow(STORE)):
                socket.socket(socket.AF_UNIX).close()
            for _ in range(secrets.randbelow(STORE)):
                os.close(os.memfd_create("scatter"))
