"""The sandboxes that work on this machine."""

from __future__ import annotations

from search.runner.process import sandbox
from search.runner.process.sandbox import Bubblewrap, Landlock

WORKING = [
    box for box, works in ((Bubblewrap(), sandbox.bubblewrap_works()), (Landlock(), sandbox.landlock.version() > 0)) if works
]
WARM_BOX = "landlock" if "landlock" in [box.name for box in WORKING] else "none"  # where tests/warm.py can start processes
