"""Where things are. Relative paths in the configuration mean the repository's root, wherever the command is called."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
MLRUNS = ROOT / "mlruns"
STUDIES = MLRUNS / "studies"


def resolve(path: str) -> Path:
    """A path from the configuration, with `~` expanded and the root put before a relative one."""
    return ROOT / Path(path).expanduser()
