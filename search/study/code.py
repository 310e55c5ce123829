"""Records which code a study runs under, and continues it under other code only if the user accepts that, which is
recorded."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from search.config.messages import UserError
from search.config.places import ROOT
from search.study.journal import Journal

# The folders of `search` whose code can change a proposal or a score. Code that only shows, starts or compares is in others.
DECIDING = ("agent", "data", "executor", "llm", "runner", "study", "task")
OURS = ("search", "baselines")
ACCEPTED = "accepted"  # the kind of the journal's line
NAMED = 6  # files that a message names

Code = Mapping[str, str]  # files by their path, with a hash of each


def harness_hash() -> str:
    """The hash of all code of the harness that can change a proposal or a score."""
    return _hash(_harness())


def code_of(target: str, settings: Mapping[str, Any] | None = None) -> Code:
    """The same code, file by file, with the module of the strategy's class and those of our own modules that its
    `settings` name as a `_target_`."""
    modules = [target, *(inner for inner in _targets(settings or {}) if inner.partition(".")[0] in OURS)]
    specs = [importlib.util.find_spec(name.rpartition(".")[0]) for name in modules]
    own = [Path(spec.origin) for spec in specs if spec is not None and spec.origin is not None]
    return {_name(path): _digest(path) for path in sorted({*_harness(), *own})}


def code_hash(code: Code) -> str:
    """The hash with which a user accepts the code. It begins with a letter, since a hash of digits only would be read
    as a number."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(code.items()))
    return f"h{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def accepted(journal: Journal) -> list[dict[str, Any]]:
    """What a study went on under: `hash`, `files` that had changed, and the number of the `trial` that came next."""
    lines = [line for line in journal.lines if line["kind"] == ACCEPTED]
    return [{name: line[name] for name in ("hash", "files", "trial")} for line in lines]


def check_code(journal: Journal, now: Code, accept: str | None) -> None:
    """Raise UserError if the study last ran under other code and the user has not accepted this code's hash. An
    accepted change is recorded."""
    lines = [line for line in journal.lines if line["kind"] == ACCEPTED]
    then: Code = (lines or journal.lines)[-1 if lines else 0]["code"]
    files = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if not files:
        return
    if accept == code_hash(now):
        journal.append(ACCEPTED, durable=True, hash=accept, files=files, trial=len(journal.entries), code=now)
        return
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    raise UserError(
        f"{journal.folder}: this study began under other code, and the difference can change its proposals or scores: "
        f"{', '.join(files[:NAMED])}{more}.\n"
        f"Go back to that code; or continue, on record, with accept_harness={code_hash(now)}; or use another experiment="
    )


def _targets(node: Mapping[str, Any]) -> Iterator[str]:
    for name, value in node.items():
        if name == "_target_":
            yield str(value)
        elif isinstance(value, Mapping):
            yield from _targets(value)


def _harness() -> list[Path]:
    return [path for folder in DECIDING for path in (ROOT / "search" / folder).rglob("*.py")]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()
