"""Reads an untrusted archive: into memory, within limits, and with every hash checked.

Nothing is written to disk, so that no name in it can lead anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.archive.contents import FORMAT, JOURNAL, MANIFEST, PROGRAMS, SCORES, TASK, as_json, scores, task_record
from search.config.messages import UserError
from search.study.reading import read_lines, read_schedule
from search.study.schedule import Asked, Entry
from search.study.seeds import training_seed

MOST_FILES, MOST_BYTES = 20_000, 512 * 2**20  # that are read, unpacked
NAME = re.compile(r"(?:\w+/)?\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Archive:
    """`header`: the journal's first line. `entries`: the trials that are told, in that order. `files`: how many.
    `noise_sd`: of the experiment's control, as it was last known."""

    header: Mapping[str, Any]
    entries: tuple[Entry, ...]
    files: int
    noise_sd: float | None


def unpack(path: Path) -> Archive:
    """The archive of that path, complete and consistent. Otherwise raises UserError that says what is wrong."""
    files = _read(path)
    _check_manifest(path, files)
    programs = {name: data for name, data in files.items() if name.startswith(f"{PROGRAMS}/")}

    def text(digest: str) -> str:
        data = programs.get(f"{PROGRAMS}/{digest[:16]}.py")
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            raise _refused(path, f"its program {digest[:16]} is not the one that its journal names: the archive was changed")
        return data.decode()

    inside = path / JOURNAL  # as messages name it
    lines = read_lines(inside, files[JOURNAL])
    schedule = read_schedule(inside, lines, text)
    if not lines or not schedule.entries:
        raise UserError(f"{path}: its journal holds no finished trial; there is nothing to verify")
    floors = [step.noise_floor for step in schedule.steps if isinstance(step, Asked) and step.noise_floor is not None]
    archive = Archive(lines[0], tuple(schedule.entries), len(files), floors[-1].sd if floors else None)
    _check_agreement(path, files, archive)
    _check_values(path, archive)
    return archive


def _read(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
            _check_entries(path, found)
            files: dict[str, bytes] = {}
            left = MOST_BYTES
            for entry in found:
                with archive.open(entry) as file:
                    data = file.read(left + 1)  # what an entry says of its size is not believed
                left -= len(data)
                if left < 0:
                    raise _refused(path, f"unpacks to more than {MOST_BYTES // 2**20} MB")
                files[entry.filename] = data
            return files
    except FileNotFoundError as error:
        raise UserError(f"archive={path}: this file does not exist") from error
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"archive={path}: cannot be read ({error}); download it again") from error


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES:
        raise _refused(path, f"holds more than {MOST_FILES} files")
    names = [entry.filename for entry in entries]
    for entry in entries:
        if not NAME.fullmatch(entry.filename):
            raise _refused(path, f"holds {entry.filename[:80]!r}, which is not the name of an archive's file")
        mode = entry.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _refused(path, f"holds {entry.filename}, which is not a plain file")
    if len(set(names)) < len(names):
        raise _refused(path, "holds a file twice")


def _check_manifest(path: Path, files: Mapping[str, bytes]) -> None:
    """Every file is the one that was packed, and there is no other."""
    try:
        manifest = json.loads(files[MANIFEST])
        version, hashes = manifest["format"], dict(manifest["files"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _refused(path, f"has no {MANIFEST} that can be read") from error
    if version != FORMAT:
        raise _refused(path, f"is of format {version}, and this version of fairtrial reads {FORMAT}")
    if lacking := sorted({JOURNAL, SCORES, TASK, *hashes} - files.keys()):
        raise _refused(path, f"lacks {', '.join(lacking[:3])}")
    if more := sorted(files.keys() - {MANIFEST, *hashes}):
        raise _refused(path, f"holds {', '.join(more[:3])}, which its manifest does not name: the archive was changed")
    for name, digest in hashes.items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise _refused(path, f"its {name} does not match its manifest: the archive was changed")


def _check_agreement(path: Path, files: Mapping[str, bytes], archive: Archive) -> None:
    """The table, the task and the seeds are those of the journal."""
    header = archive.header
    try:
        fingerprint = hashlib.sha256(json.dumps(header["task"], sort_keys=True).encode()).hexdigest()
        agree = {
            SCORES: scores(archive.entries).encode() == files[SCORES],
            TASK: as_json(task_record(header)) == files[TASK],
            "task_fingerprint": fingerprint == header["task_fingerprint"],
            "stock": _stock(archive.entries) == header["stock"],
            "training_seed": header["role"] != "study" or _seeds_agree(header["config"]["seed"], archive.entries),
        }
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _refused(path, f"its journal's first line is damaged ({error})") from error
    if wrong := [name for name, right in agree.items() if not right]:
        raise _refused(path, f"its {wrong[0]} and its journal do not agree: the archive was changed")


def _check_values(path: Path, archive: Archive) -> None:
    """Check that values which are used or shown have the right kind."""
    numbers: list[object] = [] if archive.noise_sd is None else [archive.noise_sd]
    for entry in archive.entries:
        outcome = entry.trial.outcome
        numbers += [*dict(outcome.seconds).values(), outcome.train_seconds, outcome.tokens]
        if not isinstance(outcome.device, str) or (outcome.val_bpb is not None and not isinstance(outcome.val_bpb, float)):
            raise _refused(path, f"trial {entry.number} of its journal has an invalid device or score")
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise _refused(path, "its journal has a time or an amount that is not a number")


def _stock(entries: tuple[Entry, ...]) -> str | None:
    first = next((entry.trial.candidate for entry in entries if entry.number == 0), None)
    return None if first is None else first.source_hash


def _seeds_agree(search_seed: int, entries: tuple[Entry, ...]) -> bool:
    """The harness chose them, by the one map from search seed and replicate number."""
    pairs = ((entry, entry.trial.candidate) for entry in entries)
    return all(one is None or entry.training_seed == training_seed(search_seed, one.replicate) for entry, one in pairs)


def _refused(path: Path, why: str) -> UserError:
    return UserError(f"{path}: {why}.\nNothing in it can be trusted; ask for the original archive")
