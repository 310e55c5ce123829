"""The contents of an archive. Whatever names this machine or its user is left out.

manifest.json       the format, the study, and the SHA-256 of every other file
journal.jsonl       the study's journal: seeds, outcomes, verdicts, the code's and the environment's versions
programs/HASH.py    the programs, by the first digits of their SHA-256, which the journal names in full
scores.csv          one line a trial, to be read by people and programs
task.json           the task's facts and its fingerprint, which includes the text's and the tokenizer's
report/...          the comparison's report, where there is one
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.config.secrets import all_masked
from search.study.reading import Line
from search.study.schedule import Entry

FORMAT = 1
MANIFEST, JOURNAL, SCORES, TASK = "manifest.json", "journal.jsonl", "scores.csv", "task.json"
PROGRAMS, REPORT = "programs", "report"
COLUMNS = ("number", "origin", "status", "val_bpb", "audited", "kept", "training_seed", "program")
LEFT_OUT = "(left out)"
# An absolute path, of which the last part alone says something to others; an address's is none.
PATH = re.compile(r"(?:(?<![\w.:/~*-])(?:~|/[\w.-]+)|(?:(?<=sqlite:)|(?<=file:))/+)/[^\s'\":,;()]*")
OF_THIS_MACHINE = ("cache", "tracking", "start")  # of a header's config: places
SERVER = ("base_url", "api_key_env")  # of an LLM's settings
PRIVATE = ("published",)  # kinds of lines that say where something lies


def public_lines(lines: Sequence[Line]) -> list[Line]:
    """The journal's lines, without places, names of machines, passwords and absolute paths. What a trial is, how it was
    scored and what was made of it stay as they are."""
    return [_public(line) for line in lines if line["kind"] not in PRIVATE]


def scores(entries: Iterable[Entry]) -> str:
    """The table of the trials, in the order of their numbers."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in sorted(entries, key=lambda entry: entry.number):
        trial, candidate = entry.trial, entry.trial.candidate
        digest = "" if candidate is None else candidate.source_hash
        score = "" if trial.val_bpb is None else repr(trial.val_bpb)
        facts = (entry.number, trial.origin, trial.status, score, trial.outcome.audited, entry.verdict.kept)
        writer.writerow([*facts, entry.training_seed, digest])
    return file.getvalue()


def task_record(header: Mapping[str, Any]) -> dict[str, Any]:
    return {"identity": header["identity"], "task": header["task"], "task_fingerprint": header["task_fingerprint"]}


def without_paths(text: str) -> str:
    """Absolute paths cut to their last part."""
    return PATH.sub(lambda found: f"(...)/{found.group().rstrip('/').rpartition('/')[2]}", text)


def _is_place(text: str) -> bool:
    """Whether a whole text is an absolute path, even of one part only."""
    return text.startswith(("/", "~")) and len(text) > 1 and " " not in text


def as_json(value: Any) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def _public(line: Line) -> Line:
    line = dict(line)
    if line["kind"] == "study":
        config = {key: value for key, value in line["config"].items() if key not in OF_THIS_MACHINE}
        config.update(cache=LEFT_OUT, start=LEFT_OUT, tracking={"uri": LEFT_OUT})
        if "llm" in config["strategy"]:
            config["strategy"] = {
                **config["strategy"],
                "llm": {**config["strategy"]["llm"], **dict.fromkeys(SERVER, LEFT_OUT)},
            }
        line.update(config=config, machine=LEFT_OUT)
    if line["kind"] == "told":  # the device's model stays; behind it stand its number, and on a cluster the node's name
        model, space, _ = line["outcome"]["device"].rpartition(" ")
        line["outcome"] = {**line["outcome"], "device": f"{model}{space}-" if space else ""}
    return _cleaned(all_masked(line))


def _cleaned(node: Any) -> Any:
    if isinstance(node, str):
        return LEFT_OUT if _is_place(node) else without_paths(node)
    if isinstance(node, dict):
        return {key: _cleaned(value) for key, value in node.items()}
    return [_cleaned(value) for value in node] if isinstance(node, list) else node
