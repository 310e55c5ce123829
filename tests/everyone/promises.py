"""What must hold of the experiment, by the studies' own reports and by the comparison's; each in words where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.study.journal import FILE
from search.study.reads import sources_of
from search.study.report import FILE as REPORT
from tests.everyone import studies
from tests.everyone.cast import Cast

Json = Mapping[str, Any]
ASKS = ("llm", "coder")  # settings of strategies that ask an LLM


def report_folder(root: Path) -> Path:
    return root / "mlruns" / "reports" / studies.EXPERIMENT / studies.TASK


def broken(root: Path, server: Cast, trials: int) -> list[str]:
    """`server`: that all were asked from. `trials`: of every study."""
    folders = studies.folders(root)
    headers = {header["identity"]: header for header in map(_header, folders)}
    reports = {report["study"]: report for report in (_read(folder / REPORT) for folder in folders)}
    compared = _read(report_folder(root) / REPORT)
    found = [f"{text!r}: nobody is asked this in tests/everyone/cast.py" for text in server.unknown]
    return [
        *found,
        *_complete(headers, reports, trials),
        *_compared(headers, compared),
        *_apart(headers, compared["findings"]),
        *_paid(headers, reports, compared["strategies"], server),
    ]


def _header(folder: Path) -> Json:
    with (folder / FILE).open(encoding="utf-8") as file:
        header: Json = json.loads(file.readline())
    return header


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def _complete(headers: Mapping[str, Json], reports: Mapping[str, Json], trials: int) -> Iterator[str]:
    """Every file of conf/strategy has a study, and every study its trials, its report and a trial with a score."""
    ran = {str(header["config"]["strategy"]["name"]) for header in headers.values()}
    yield from (f"conf/strategy/{name}.yaml: has no study" for name in studies.names() if name not in ran)
    if len(headers) != studies.count():
        yield f"{len(headers)} studies, and not {studies.count()}: {', '.join(headers)}"
    for identity, report in reports.items():
        spent = report["spent"]
        if spent["trials"] != trials or not report["ended"]:
            yield f"{identity}: {spent['trials']} of {trials} trials, ended: {report['ended'] or 'no'}"
        if spent["statuses"].get("completed", 0) < trials / 2:
            yield f"{identity}: few trials have a score: {spent['statuses']}"
        if report["winner"] is None:
            yield f"{identity}: has no winner"


def _compared(headers: Mapping[str, Json], compared: Json) -> Iterator[str]:
    """Every strategy is in the comparison, with its role and all its trials; every winner is confirmed."""
    wanted = {str(header["strategy"]): str(header["config"]["strategy"]["role"]) for header in headers.values()}
    rows = {row["strategy"]: row["role"] for row in compared["strategies"]}
    if rows != wanted:
        yield f"the comparison has {rows}, and not {wanted}"
    yield from (f"{one['study']}: is not confirmed" for one in compared["studies"] if not one["confirmed"])
    if compared["confirmation"]["failed"]:
        yield f"runs of the confirmation failed: {compared['confirmation']['failed']}"
    for name in {row["strategy"] for row in compared["strategies"] if row["role"] != "control"}:
        quantities = {one["name"] for one in compared["findings"] if str(one["subject"]).split("/")[-2:][0] == name}
        if not {"claimed", "gain", "luck"} <= quantities:
            yield f"{name}: the findings have only {sorted(quantities)} of it"


def _apart(headers: Mapping[str, Json], findings: Sequence[Json]) -> Iterator[str]:
    """Strategies of which one read the other are never held against each other, and are told why."""
    sources = {str(header["strategy"]): sources_of(header) for header in headers.values()}
    readers = [str(header["strategy"]) for header in headers.values() if header.get("reads")]
    if {name.split("-")[0] for name in readers} != {*studies.READERS, "agent"}:
        yield f"only {readers} have read another study"
    for one in findings:
        pair = one["subject"], one["against"]
        if one["scope"] != "strategies" or not sources.keys() >= set(pair) or not sources[pair[0]] & sources[pair[1]]:
            continue
        why = " ".join(missing["what"] for missing in one["missing"])
        if one["verdict"] != "not stated" or "not independent" not in why:
            yield f"{' and '.join(pair)} share a study, and the comparison says: {one['verdict']} ({why})"


def _paid(headers: Mapping[str, Json], reports: Mapping[str, Json], rows: Sequence[Json], server: Cast) -> Iterator[str]:
    """Who asks an LLM has calls, tokens and dollars on record, the comparison the same, and the server no more than that."""
    served, compared = 0, {row["strategy"]: row for row in rows}
    for identity, report in reports.items():
        settings, spent = headers[identity]["config"]["strategy"], report["spent"]
        row, asks = compared[report["strategy"]], any(settings.get(key) for key in ASKS)
        if asks != (spent["llm_calls"] > 0) or asks != (spent["usd"] is not None):
            yield f"{identity}: {spent}"
        if settings.get("llm", {}).get("name") == "playbook":  # whose replies the comparison does not count as an LLM's
            asks = False
        if asks and (row["llm_calls"], row["llm_usd"]) != (spent["llm_calls"], spent["usd"]):
            yield f"{identity}: {spent} in its report, {row} in the comparison"
        if asks and settings.get("llm", {}).get("name") == "test":
            served += spent["llm_calls"]
            counts = spent["usd"] or 0, spent["tokens_in"], spent["tokens_out"]
            yield from () if min(counts) > 0 else [f"{identity}: {spent}"]
    if served != server.replies.total():
        yield f"{served} calls are on record, and the server was asked {server.replies}"
