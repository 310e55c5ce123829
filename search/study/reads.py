"""What a study reads of other studies. A study that begins with another's winner, or sees its results, depends on it.
Its header says so, and a comparison does not treat the two as independent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.config.places import resolve
from search.study.journal import FILE
from search.study.reading import read_lines, read_schedule, read_text
from search.study.report import FILE as REPORT
from search.study.report import Report, report_of
from search.study.report_file import files_of, read_report
from search.study.schedule import Entry
from search.study.trial import Candidate
from search.study.winner import winner_of

PARTS = ("EXPERIMENT", "TASK", "STRATEGY", "SEED")  # of a study's identity
NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Past:
    """Another study as it stood when it was read first. `header`: the first line of its journal. `entries`: its trials, in
    the order of telling."""

    identity: str
    header: Mapping[str, Any]
    entries: Sequence[Entry]

    @property
    def winner(self) -> Entry:
        """Raises UserError if it has none."""
        found = winner_of(self.entries)
        if found is None:
            raise UserError(f"{self.identity}: this study has no winner to begin with; name another one")
        return found

    @property
    def start(self) -> Candidate:
        """Its winner as what another study begins with, after its own stock. Raises UserError."""
        trial = self.winner.trial
        assert trial.candidate is not None
        return Candidate(trial.candidate.source, parent=0, note=f"trial {trial.number} of {self.identity}, its winner")


class Reads:
    """Reads other studies on behalf of one. `studies`: the folder of all of them. `own`: the identity of the one that reads.

    A journal only grows. A study reads the beginning of the other's journal, and records its length. So a resumed study
    reads the same again, even if the other one has continued.
    """

    def __init__(self, studies: Path, own: str) -> None:
        self.studies = studies
        self.own = own
        self._begun = {note["study"]: note for note in _on_record(studies / own)}
        self._read: dict[str, Past] = {}
        self._notes: dict[str, dict[str, Any]] = {}
        self._inherited: list[str] = []  # by reports in files

    @property
    def record(self) -> list[dict[str, Any]]:
        """For the header, by `study`: what was read (`bytes` of a `journal` with that SHA-256, or a report's file with that
        `sha256`), and by name only what that had read itself."""
        inherited = [note["study"] for past in self._read.values() for note in reads_of(past.header)] + self._inherited
        notes = {**{name: {"study": name} for name in inherited}, **self._notes}
        return [notes[name] for name in sorted(notes)]

    def study(self, name: str) -> Past:
        """The study EXPERIMENT/TASK/STRATEGY/SEED; a STRATEGY alone means the same experiment, task and search seed. Raises
        UserError where there is none, where trials of it are running, or where its journal is not what was read before."""
        identity = self._identity(name)
        if identity not in self._read:
            self._read[identity] = self._open(identity)
        return self._read[identity]

    def reports(self, name: str) -> Sequence[Report]:
        """The reports that a name means: that of the study EXPERIMENT/TASK/STRATEGY/SEED, made from its journal; or those of
        a file or a folder, which may come from anywhere. Raises UserError as `study`, and if a file is not a report."""
        path = resolve(name)
        if not path.exists():
            if name.startswith((".", "/", "~")) or name.endswith(".json"):
                raise UserError(
                    f"{name}: there is no such file or folder; name a {REPORT}, its folder, or {'/'.join(PARTS)}"
                )
            past = self.study(name)
            return [report_of(past.header, past.entries)]
        return [self._file(found) for found in files_of(path)]

    def _file(self, path: Path) -> Report:
        report, digest = read_report(path)
        name = report["study"]
        self._notes[f"{name} {digest}"] = {"study": name, "sha256": digest}
        self._inherited += [note["study"] for note in report["reads"]]
        return report

    def _identity(self, name: str) -> str:
        own, parts = self.own.split("/"), name.split("/")
        if len(parts) == 1:
            parts = [own[0], own[1], name, own[3]]
        if len(parts) != len(PARTS) or not all(map(NAME.fullmatch, parts)):
            raise UserError(f"{name}: is not a study; name {'/'.join(PARTS)}, or a strategy of this experiment")
        if parts[1] != own[1]:
            raise UserError(f"{name}: is of task={parts[1]}, but this study is of task={own[1]}; name one of that task")
        if parts == own:
            raise UserError(f"{name}: is this study itself; name another one")
        return "/".join(parts)

    def _open(self, identity: str) -> Past:
        path, note = self.studies / identity / FILE, self._begun.get(identity)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: there is no such study; run it first, or name another one") from error
        data = data[: data.rfind(b"\n") + 1] if note is None else data[: note["bytes"]]
        digest = hashlib.sha256(data).hexdigest()
        if note is not None and note["journal"] != digest:
            raise UserError(
                f"{path}: is no longer the journal with which {self.own} began.\n"
                "Restore the file from a copy, or use another experiment="
            )
        lines = read_lines(path, data)
        schedule = read_schedule(path, lines, lambda text: read_text(path.parent, text))
        if schedule.pending or not schedule.entries:
            raise UserError(f"{identity}: this study has trials without a result; finish it first with its own command")
        self._notes[identity] = {"study": identity, "id": lines[0]["id"], "bytes": len(data), "journal": digest}
        return Past(identity, lines[0], schedule.entries)


def reads_of(header: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a study's header says that it has read; studies that read nothing say nothing."""
    found: Sequence[Mapping[str, Any]] = header.get("reads", ())
    return found


def sources_of(header: Mapping[str, Any]) -> frozenset[str]:
    """The studies whose results are in a study: itself, and those that it read. Two studies that share one are not
    independent."""
    return frozenset({str(header["identity"]), *(str(note["study"]) for note in reads_of(header))})


def _on_record(folder: Path) -> Sequence[Mapping[str, Any]]:
    """What the study of a folder began with. A damaged journal is reported by whoever opens it."""
    try:
        with (folder / FILE).open("rb") as file:
            return [note for note in reads_of(json.loads(file.readline())) if "journal" in note]
    except (OSError, ValueError):
        return ()
