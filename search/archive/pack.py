"""Packs a study into one file: the same bytes whenever the study is the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from search.archive.contents import (
    FORMAT,
    JOURNAL,
    MANIFEST,
    PROGRAMS,
    REPORT,
    SCORES,
    TASK,
    as_json,
    public_lines,
    scores,
    task_record,
    without_paths,
)
from search.config.files import unwritable, write_whole
from search.config.messages import UserError
from search.config.places import MLRUNS, ROOT, STUDIES
from search.study.journal import FILE, Journal

TIME = (1980, 1, 1, 0, 0, 0)  # of every file inside: a zip's first
REPORT_FILES = ("report.md", "report.json")


def pack(identity: str, out: Path, say: Callable[[str], None]) -> int:
    """Write a study's archive. `identity`: experiment/task/strategy/search seed. Returns how many trials it holds. Raises
    UserError where there is no such study, where it is being run, or where `out` cannot be written."""
    folder = STUDIES / identity
    if ".." in Path(identity).parts or not (folder / FILE).is_file():
        raise UserError(f"study={identity}: there is no study of that name in {STUDIES}; give experiment/task/strategy/seed")
    with Journal(folder, say) as journal:
        if journal.header is None or not journal.entries:
            raise UserError(f"study={identity}: has no finished trial yet; run it first")
        files = _files(journal, say)
        trials, header = len(journal.entries), journal.header
    manifest = {
        "format": FORMAT,
        "study": header["identity"],
        "files": {name: _digest(files[name]) for name in sorted(files)},
    }
    files[MANIFEST] = as_json(manifest)
    try:
        write_whole(out, _zipped(files))
    except OSError as error:
        raise unwritable(out, error) from error
    return trials


def _files(journal: Journal, say: Callable[[str], None]) -> dict[str, bytes]:
    """All but the manifest, by their names in the archive."""
    assert journal.header is not None
    lines = [json.dumps(line, allow_nan=False) for line in public_lines(journal.lines)]
    files = {
        JOURNAL: "\n".join([*lines, ""]).encode(),
        SCORES: scores(journal.entries).encode(),
        TASK: as_json(task_record(journal.header)),
    }
    for line in journal.lines:
        digest = line["answer"].get("source") if line["kind"] in ("asked", "rebased") else None
        if digest is not None:
            files[f"{PROGRAMS}/{digest[:16]}.py"] = journal.text(digest).encode()
    for name, data in files.items():
        if name.startswith(PROGRAMS) and any(str(place).encode() in data for place in (ROOT, Path.home())):
            say(f"note: {name} names a folder of this machine; programs are packed unchanged")
    return {**files, **_report(journal.header["identity"])}


def _report(identity: str) -> dict[str, bytes]:
    """Of the comparison of the study's experiment, where there is one."""
    experiment, task = identity.split("/")[:2]
    folder = MLRUNS / "reports" / experiment / task
    found = {name: folder / name for name in REPORT_FILES if (folder / name).is_file()}
    return {f"{REPORT}/{name}": without_paths(path.read_text(encoding="utf-8")).encode() for name, path in found.items()}


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
