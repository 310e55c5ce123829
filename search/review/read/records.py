"""Reads a log's file into records, cell by cell: separated by tabs or commas, or JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.messages import UserError

LONGEST_CELL = 10_000_000  # letters; the csv module would stop at 131,072


@dataclass(frozen=True)
class Record:
    """One row. `cells`: by the column's name as it is written, '' for an empty cell. `line`: of the file."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Segment:
    """Records that share a metric. `metric`, `direction` and `unit`: as the file says, if it does."""

    records: tuple[Record, ...]
    columns: tuple[str, ...]
    metric: str | None = None
    direction: str | None = None
    unit: str = ""


def read_segments(path: Path) -> list[Segment]:
    """Returns the segments that have a record. There is one, except in JSON lines whose metric changes. Raises UserError if
    the file has none of these forms."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"log={path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"log={path}: {error.strerror}; give the path of a results.tsv, a CSV or JSON lines") from error
    segments = _from_json(path, text) if text.lstrip().startswith("{") else [_from_table(path, text)]
    found = [segment for segment in segments if segment.records]
    if not found:
        raise UserError(f"log={path}: has no trial; it needs a line with the columns' names, and one line for each trial")
    return found


def _from_table(path: Path, text: str) -> Segment:
    csv.field_size_limit(LONGEST_CELL)
    tabs = "\t" in text.lstrip("\r\n").partition("\n")[0]
    # In a file with tabs a quotation mark is only a letter of somebody's description.
    form: Any = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    reader = csv.reader(io.StringIO(text, newline=""), **form)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"log={path}: line {reader.line_num}: {error}; correct that line") from error
    columns = tuple(cell.strip() for cell in rows[0][1]) if rows else ()
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise UserError(f"log={path}: has two columns of the name {twice[0]!r}; rename one of them")
    records = tuple(Record(line, _cells(path, line, columns, row, "\t" if tabs else ",")) for line, row in rows[1:])
    return Segment(records, columns)


def _cells(path: Path, line: int, columns: Sequence[str], row: Sequence[str], separator: str) -> dict[str, str]:
    """Returns a row's cells. If there are too many, the rest belongs to the last column, if that is prose: somebody wrote a
    separator into it."""
    if len(row) > len(columns):
        if _is_number(row[len(columns) - 1]):
            raise UserError(f"log={path}: line {line} has {len(row)} cells for {len(columns)} columns; correct that line")
        row = [*row[: len(columns) - 1], separator.join(row[len(columns) - 1 :])]
    return dict(zip(columns, [*(cell.strip() for cell in row), *[""] * (len(columns) - len(row))], strict=True))


def _from_json(path: Path, text: str) -> Iterator[Segment]:
    """Yields segments. A line that names a metric, and is not a run, begins one."""
    settings: dict[str, Any] = {}
    records: list[Record] = []
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            found = json.loads(written)
        except ValueError as error:
            raise UserError(f"log={path}: line {line} is not JSON ({error}); correct or remove that line") from error
        if not isinstance(found, dict):
            raise UserError(f"log={path}: line {line} is not a JSON object; each line must be one, as in {{...}}")
        if found.get("type") == "config" or "metricName" in found:
            yield _segment(records, settings)
            settings, records = found, []
        else:
            records.append(Record(line, _flat(found, settings.get("metricName"))))
    yield _segment(records, settings)


def _segment(records: Sequence[Record], settings: Mapping[str, Any]) -> Segment:
    columns = tuple(dict.fromkeys(column for record in records for column in record.cells))
    padded = tuple(Record(record.line, {column: record.cells.get(column, "") for column in columns}) for record in records)
    metric, direction = settings.get("metricName"), settings.get("bestDirection")
    named = None if metric is None else str(metric)
    return Segment(
        padded, columns, named, None if direction is None else str(direction), str(settings.get("metricUnit") or "")
    )


def _flat(run: Mapping[str, Any], metric: str | None) -> dict[str, str]:
    """Returns a run's cells. Objects inside it give their own entries. Its `metric` gets the name that the segment gives
    it."""
    cells: dict[str, str] = {}
    for key, value in run.items():
        if isinstance(value, dict):
            cells.update({name: _text(inner) for name, inner in value.items() if name not in cells})
        else:
            cells[metric if key == "metric" and metric is not None else key] = _text(value)
    return cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
