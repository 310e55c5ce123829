"""A night's git repository in the field's shape, with toy programs that take milliseconds."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

PREPARE = "import os\n\n\ndef noise():\n    return int.from_bytes(os.urandom(4), 'big') / 2**32 / 1000\n"
TRAIN = """import prepare
GAIN = {gain}
print('val_bpb: 9.9')
print('---')
print(f'val_bpb:  {{1 - GAIN + prepare.noise():.6f}}')
"""
HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def toy(gain: float) -> str:
    """A program that prints about 1 - gain, and something else before."""
    return TRAIN.format(gain=gain)


def make_night(folder: Path, keeps: Mapping[int, tuple[str, float]], commits: int = 20) -> Path:
    """Commits with `prepare.py` and a `train.py` each, of which `keeps` were kept: program and score, by the number of the
    trial. Returns the log, which lies in the repository."""
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    texts = [keeps.get(number, (toy(-number / 100), 0.0))[0] for number in range(1, commits + 1)]
    stream = "".join(_commit(number, text) for number, text in enumerate(texts, 1))
    subprocess.run(["git", "fast-import", "--quiet"], input=stream.encode(), cwd=folder, check=True)
    listed = subprocess.run(["git", "rev-list", "--reverse", "main"], cwd=folder, capture_output=True, text=True, check=True)
    hashes = listed.stdout.split()
    rows = []
    for at, name in enumerate(hashes, 1):
        score, status = (keeps[at][1], "keep") if at in keeps else (1.5, "discard")
        rows.append(f"{name[:7]}\t{score}\t44.0\t{status}\tchange {at}\n")
    log = folder / "results.tsv"
    log.write_text(HEAD + "".join(rows))
    return log


def _commit(number: int, text: str) -> str:
    files = {"prepare.py": PREPARE, "train.py": text}
    told = "".join(f"M 100644 inline {name}\ndata {len(held.encode())}\n{held}\n" for name, held in files.items())
    return f"commit refs/heads/main\ncommitter a <a@b> {number} +0000\ndata 1\nx\n{told}\n"
